"""The receipt as PDF. What it says is asked of the typesetter itself, by the same template and values."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typst
from sqlalchemy import update

from outreach import printing
from outreach.errors import OutOfReach
from outreach.models import Signature
from outreach.paths import folder
from outreach.printing import press
from outreach.web import paper_receipts
from tests.sites import Site

SOURCE = (folder("templates") / "papers/receipt.typ").read_bytes()
#: What would stop or bend the paper if any of it were read as the typesetter's language.
TRICKS = (
    '#panic("no") #eval("1+1") $x^2$ *bold* _it_ `raw` \\ <label> @nowhere // gone /* gone */ #import "/etc/passwd": *'
)


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The values of each paper that is printed, on their way to the press."""
    seen: list[dict[str, Any]] = []

    def print_pdf(template: str, values: dict[str, Any]) -> bytes:
        seen.append(values)
        return printing.print_pdf(template, values)

    monkeypatch.setattr(paper_receipts, "print_pdf", print_pdf)
    return seen


def asked(selector: str, values: dict[str, Any]) -> str:
    """All text in what the typesetter makes of such parts of the paper."""

    def texts(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from [node["text"]] if isinstance(node.get("text"), str) else []
            for name, part in node.items():
                if name != "supplement":
                    yield from texts(part)
        elif isinstance(node, list):
            for part in node:
                yield from texts(part)

    compiler = typst.Compiler(SOURCE, sys_inputs={"values": json.dumps(values)})
    return "\n".join(texts(json.loads(compiler.query(selector))))


def test_the_receipt_holds_the_letters_the_reference_and_what_became_of_each(
    site: Site, printed: list[dict[str, Any]]
) -> None:
    path = site.confirm(site.sign())
    answer = site.client.get(f"{path}/receipt.pdf")

    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"].startswith('attachment; filename="receipt-')
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content.startswith(b"%PDF-")
    assert b"<pdfuaid:part>1</pdfuaid:part>" in answer.content, "tagged for everybody"
    (values,) = printed
    headings = asked("heading", values).splitlines()
    assert headings[0] == "Receipt for “A bus shelter for every stop”"
    assert headings[1:] == ["To Mayor of Springfield Alex Rivera", "To Transit Commissioner Sam Okafor"]
    said = asked("par", values)
    assert said.count("I wait in the rain.") == 2
    assert "We expect it to leave on Monday, 2 March 2026" in said
    assert ["Confirmed", "Mon 2 Mar 2026, 12:00 UTC"] in values["facts"]


def test_a_network_that_prints_and_prints_is_made_to_wait(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper_receipts, "PAPERS_PER_MINUTE", 1)
    path = site.confirm(site.sign())
    assert [site.client.get(f"{path}/receipt.pdf").status_code for _ in range(3)] == [200, 429, 429]


def test_threat_b12_what_a_signer_typed_is_printed_as_it_stands(site: Site, printed: list[dict[str, Any]]) -> None:
    path = site.confirm(site.sign(name="Žofia #panic() *Doe*", own_words=f"{TRICKS}\n= No heading\n- no list"))
    assert site.client.get(f"{path}/receipt.pdf").content.startswith(b"%PDF-")
    (values,) = printed
    said = asked("par", values)
    for line in (TRICKS, "= No heading", "- no list", "Žofia #panic() *Doe*"):
        assert said.count(line) == 2, line
    assert "No heading" not in asked("heading", values)


def test_a_name_in_any_script_gets_its_receipt(site: Site, printed: list[dict[str, Any]]) -> None:
    path = site.confirm(site.sign())
    for name in ("Ελένη Ζωή", "Дарья Иванова", "王小明", "محمد علي", "देवी शर्मा"):
        with site.db.begin() as session:
            session.execute(update(Signature).values(name=name))
        assert site.client.get(f"{path}/receipt.pdf").content.startswith(b"%PDF-")
        assert ["Signed by", name] in printed[-1]["facts"]


def test_where_no_font_knows_a_sign_the_paper_says_so() -> None:
    values = {
        "organisation": "Fair Streets",
        "language": "en",
        "direction": "ltr",
        "reference": "abc",
        "title": "Receipt",
        "facts": [["Name", "\U0001680a"]],  # Bamum, which hardly any machine has a font for
        "note": "Some signs could not be drawn.",
        "shredded": "",
        "letters": [],
    }
    with_box = printing.print_pdf("papers/receipt.typ", values)
    assert b"<pdfuaid:part>" not in with_box
    assert b"<pdfuaid:part>" in printing.print_pdf("papers/receipt.typ", values | {"facts": [["Name", "Jane"]]})


def test_a_paper_that_takes_too_long_is_given_up_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(press, "WALL_SECONDS", 0.5)
    monkeypatch.setattr(press, "_source", lambda _template: "#for a in range(100000) { for b in range(100000) {} }")
    for _ in range(press._PRESSES + 1):  # each gives its place back
        with pytest.raises(OutOfReach, match="too long"):
            printing.print_pdf("endless.typ", {})
    assert not list(tmp_path.iterdir())
