"""Every page's template, those that no test opens among them: nothing stands in it that our policy forbids."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from outreach.paths import folder

PAGES = sorted((folder("templates") / "pages").rglob("*.html"))
_ACTS = re.compile(
    r"<style|<script(?![^>]*\bsrc=)|\sstyle\s*=|\son[a-z]+\s*=\s*[\"']|javascript:|autoescape|<base\s[^>]*href|<object|<embed\b",
    re.IGNORECASE,
)
#: The one place where markup is made by hand; it holds nothing of anybody's.
_SAFE = {"""link='<a href="/dev/mail">/dev/mail</a>' | safe"""}
_ELSEWHERE = re.compile(
    r"""<(?:script|link|img|iframe|form)[^>]*\s(?:src|href|action)=["'](?:https?:)?//""", re.IGNORECASE
)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_threat_a7_no_page_holds_a_script_a_style_or_a_file_of_somebody_else(path: Path) -> None:
    text = path.read_text("utf-8")
    assert _ACTS.findall(text) == []
    assert _ELSEWHERE.findall(text) == []
    for safe in _SAFE:
        text = text.replace(safe, "")
    assert not re.search(r"\|\s*safe\b", text)


def test_no_script_of_ours_makes_markup_or_code_of_text() -> None:
    found = {}
    for path in (folder("templates").parent / "outreach" / "web" / "static").glob("*.js"):
        made = re.findall(r"\beval\(|new Function|document\.write|insertAdjacentHTML|outerHTML\s*=", path.read_text())
        found[path.name] = made
    assert len(found) > 5
    assert {name: made for name, made in found.items() if made} == {}
