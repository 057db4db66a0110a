"""A pytest plugin that writes the tables of the field rules and of the faults: `--numbered` runs their tests only,
`--compliance PATH` and `--fault-table PATH` write what came of them. With xdist the workers report and the controller
writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import matrix
from tests.checklist import NOT_BUILT, NOTES, RULES, numbered_tests, rules_in

TESTS = Path(__file__).parent
COMMAND = "python -m pytest -n 2 --numbered --compliance docs/compliance.md --fault-table docs/faults.md"


@dataclass(frozen=True)
class Page:
    """One table: its rows by number, and which of them a test shows by its name."""

    title: str
    about: str
    heads: tuple[str, str]
    rows: Mapping[str, str]
    numbers_in: Callable[[str], list[str]]
    notes: Mapping[str, str]
    not_built: Mapping[str, str] = field(default_factory=dict)

    def tests(self, folder: Path = TESTS) -> dict[str, list[str]]:
        """The tests of each row."""
        return numbered_tests(folder, self.rows, self.numbers_in)


FIELD_RULES = Page(
    title="Field rules",
    about="What the mail world asks of an engine like this one, row by row, and the tests that show it.",
    heads=("rule", "asks that"),
    rows=RULES,
    numbers_in=rules_in,
    notes=NOTES,
    not_built=NOT_BUILT,
)
FAULT_MATRIX = Page(
    title="Faults",
    about="What can go wrong around an engine like this one, what must come of it, and the tests that try it.",
    heads=("fault", "what happens, and what must come of it"),
    rows=matrix.FAULTS,
    numbers_in=matrix.faults_in,
    notes=matrix.NOTES,
)
#: By the option that names where the page is written.
PAGES = {"--compliance": FIELD_RULES, "--fault-table": FAULT_MATRIX}


class Compliance:
    """What became of each numbered test, over all its parameters."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths
        self._ran = set[str]()
        self._failed = set[str]()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = report.nodeid.partition("[")[0]
        if report.failed:
            self._failed.add(test)
        if report.when == "call":
            self._ran.add(test) if not report.skipped else self._failed.add(test)

    def pytest_sessionfinish(self) -> None:
        for option, path in self._paths.items():
            page = PAGES[option]
            path.write_text(table(page, page.tests(), ran=self._ran, failed=self._failed), "utf-8")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for option, path in self._paths.items():
            terminalreporter.write_line(f"the table of {PAGES[option].title.lower()} is in {path}")


def table(page: Page, tests: Mapping[str, list[str]], *, ran: set[str], failed: set[str]) -> str:
    """The page, from the tests of each row and those that ran and failed."""
    said = {row: verdict(page, row, tests[row], ran=ran, failed=failed) for row in page.rows}
    passes = sum(verdict == "passes" for verdict in said.values())
    lines = [
        f"# {page.title}",
        "",
        f"{page.about} Written by",
        "",
        f"    {COMMAND}",
        "",
        "A row passes when every test that carries its number in its name ran and passed, on SQLite and on PostgreSQL",
        "where the database matters.",
        "",
        f"{passes} of {len(page.rows)} pass. Not built: {', '.join(page.not_built) or 'none'}.",
        "",
        f"| {page.heads[0]} | {page.heads[1]} | | tests |",
        "|---|---|---|---|",
    ]
    for row, words in page.rows.items():
        shown = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in tests[row])
        notes = [note for note in (page.not_built.get(row), page.notes.get(row)) if note]
        cell = "<br>".join([*([shown] if shown else []), *(f"*{note}*" for note in notes)])
        lines.append(f"| {row} | {words} | {said[row]} | {cell} |")
    return "\n".join(lines) + "\n"


def verdict(page: Page, row: str, tests: list[str], *, ran: set[str], failed: set[str]) -> str:
    """One word or two for a row."""
    if row in page.not_built:
        return "not built"
    if not tests:
        return "no test"
    if any(test in failed for test in tests):
        return "**fails**"
    return "passes" if all(test in ran for test in tests) else "not run"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("field rules and faults")
    group.addoption("--numbered", action="store_true", help="run only the tests that carry the number of a row")
    for option, page in PAGES.items():
        group.addoption(option, metavar="PATH", type=Path, help=f"write the table of {page.title.lower()} there")


def pytest_configure(config: pytest.Config) -> None:
    paths = {option: path for option in PAGES if (path := config.getoption(option)) is not None}
    if paths and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Compliance(paths), "compliance")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--numbered"):
        names = {item: getattr(item, "originalname", item.name) for item in items}
        kept = [item for item in items if any(page.numbers_in(names[item]) for page in PAGES.values())]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept
