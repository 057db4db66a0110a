"""Every language says everything: no message is missing, unsure, or holds other placeholders or tags."""

from __future__ import annotations

from pathlib import Path

import pytest

from outreach import languages, translating
from outreach.errors import NotFound
from outreach.languages import SOURCE

SPOKEN = [each.code for each in languages.languages() if each.code != SOURCE]


@pytest.mark.parametrize("code", SPOKEN)
def test_a_language_says_everything_that_signers_are_told(code: str) -> None:
    assert [f"{lack.why}: {lack.message}" for lack in translating.lacking(code)] == []


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("", "is not translated"),
        ('msgid "Hello %(name)s,"\nmsgstr ""', "is not translated"),
        ('#, fuzzy\nmsgid "Hello %(name)s,"\nmsgstr "Hola, %(name)s:"', "is marked fuzzy"),
        ('msgid "Hello %(name)s,"\nmsgstr "Hola, %(nombre)s:"', "has other placeholders"),
        ('msgid "Hello %(name)s,"\nmsgstr "Hola, <b>%(name)s</b>:"', "has other tags"),
        ('msgid "Hello %(name)s,"\nmsgstr "Hola, %(name)s:"', None),
    ],
)
def test_what_a_file_lacks_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, why: str | None
) -> None:
    head = 'msgid ""\nmsgstr ""\n"Language: eo\\n"\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n'
    (tmp_path / "eo.po").write_text(f"{head}\n{entry}\n")
    monkeypatch.setattr(translating, "LOCALE", tmp_path)

    said = {lack.message: lack.why for lack in translating.lacking("eo")}

    assert said.get("Hello %(name)s,") == why


def test_a_new_language_is_one_file_that_names_every_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translating, "LOCALE", tmp_path)

    assert translating.update("pt") == tmp_path / "pt.po"

    assert {lack.why for lack in translating.lacking("pt")} == {"is not translated"}
    assert len(translating.catalogue("pt")) == len(translating.messages())
    for code in ("en", "../es", "tlh"):
        with pytest.raises(NotFound):
            translating.update(code)
