"""A pytest plugin that writes the table of the field rules: `--numbered` runs their tests only, `--compliance PATH`
writes what came of them. With xdist the workers report and the controller writes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checklist import NOT_BUILT, NOTES, RULES, numbered_tests, rules_in

TESTS = Path(__file__).parent
COMMAND = "python -m pytest -n 2 --numbered --compliance docs/compliance.md"


class Compliance:
    """What became of each numbered test, over all its parameters."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ran = set[str]()
        self._failed = set[str]()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = report.nodeid.partition("[")[0]
        if report.failed:
            self._failed.add(test)
        if report.when == "call":
            self._ran.add(test) if not report.skipped else self._failed.add(test)

    def pytest_sessionfinish(self) -> None:
        self._path.write_text(table(numbered_tests(TESTS), ran=self._ran, failed=self._failed), "utf-8")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.write_line(f"the field rules' table is in {self._path}")


def table(tests: dict[str, list[str]], *, ran: set[str], failed: set[str]) -> str:
    """The page, from the tests of each rule and those that ran and failed."""
    said = {rule: verdict(rule, tests[rule], ran=ran, failed=failed) for rule in RULES}
    passes = sum(verdict == "passes" for verdict in said.values())
    lines = [
        "# Field rules",
        "",
        "What the mail world asks of an engine like this one, row by row, and the tests that show it. Written by",
        "",
        f"    {COMMAND}",
        "",
        "A rule passes when every test that carries its number in its name ran and passed, on SQLite and on PostgreSQL",
        "where the database matters.",
        "",
        f"{passes} of {len(RULES)} pass. Not built: {', '.join(NOT_BUILT) or 'none'}.",
        "",
        "| rule | asks that | | tests |",
        "|---|---|---|---|",
    ]
    for rule, words in RULES.items():
        shown = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in tests[rule])
        notes = [note for note in (NOT_BUILT.get(rule), NOTES.get(rule)) if note]
        cell = "<br>".join([*([shown] if shown else []), *(f"*{note}*" for note in notes)])
        lines.append(f"| {rule} | {words} | {said[rule]} | {cell} |")
    return "\n".join(lines) + "\n"


def verdict(rule: str, tests: list[str], *, ran: set[str], failed: set[str]) -> str:
    """One word or two for a rule."""
    if rule in NOT_BUILT:
        return "not built"
    if not tests:
        return "no test"
    if any(test in failed for test in tests):
        return "**fails**"
    return "passes" if all(test in ran for test in tests) else "not run"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("field rules")
    group.addoption("--numbered", action="store_true", help="run only the tests that carry a field rule's number")
    group.addoption("--compliance", metavar="PATH", type=Path, help="write the table of the field rules there")


def pytest_configure(config: pytest.Config) -> None:
    path: Path | None = config.getoption("--compliance")
    if path is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Compliance(path), "compliance")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--numbered"):
        kept = [item for item in items if rules_in(getattr(item, "originalname", item.name))]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept
