"""Keeping the catalogues whole: which messages there are, what a language lacks, and a file to fill in.

Messages are read from the code and the templates as they stand, so there is no list of them to keep up.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from outreach.errors import NotFound
from outreach.languages import LOCALE, SOURCE
from outreach.paths import folder

_JINJA = {"trimmed": "true", "newstyle_gettext": "true", "silent": "false", "trim_blocks": "true"}
_PLACEHOLDER = re.compile(r"%\((\w+)\)s|%%|%")
_TAG = re.compile(r"</?[a-z][^>]*>|\{\{.*?\}\}|\{%.*?%\}")


#: What Babel says of a catalogue that nobody has described.
_BABELS = re.compile(r"# (?:Translations template|\w+ translations|Copyright|This file|FIRST)|#$")
_HEAD = """{about}
msgid ""
msgstr ""
"Language: {locale}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: {plurals}\\n"
"""


@dataclass(frozen=True, slots=True)
class Lack:
    """One message that a language cannot say, and why."""

    message: str
    why: str


def messages() -> Catalog:
    """Every message of pages, mails and code, in English."""
    found = Catalog(fuzzy=False)
    code = extract_from_dir(Path(__file__).resolve().parent, [("**.py", "python")])
    templates = extract_from_dir(folder("templates"), [("**", "jinja2.ext:babel_extract")], {"**": _JINJA})
    for place, extracted in (("outreach", code), ("templates", templates)):
        for file, _line, message, _comments, _context in extracted:
            found.add(message, None, [(f"{place}/{file}", 0)])
    return found


def catalogue(code: str) -> Catalog:
    """The file of a language as it stands; NotFound if there is none."""
    path = _path(code)
    if not path.is_file():
        raise NotFound(
            "There is no file for this language.", where=code, advice=f"`outreach language update {code}` begins one."
        )
    with path.open("rb") as file:
        return read_po(file)


def lacking(code: str) -> list[Lack]:
    """What a language does not say, or says with other placeholders or tags than the English; NotFound as above."""
    said = catalogue(code)
    return [lack for message in messages() if message.id for lack in _lack(message, said.get(message.id))]


def update(code: str) -> Path:
    """Bring a language's file up to date: new messages stand in it empty, those that are gone are gone.

    A language that has no file gets one. NotFound for a code that is no language.
    """
    path = _path(code)
    said = catalogue(code) if path.is_file() else Catalog(locale=_locale(code), fuzzy=False)
    said.update(messages(), no_fuzzy_matching=True)
    said.obsolete.clear()
    save(said, path)
    return path


def save(said: Catalog, path: Path) -> None:
    """Write a catalogue the way all of ours are: by place, with no more of a header than is read."""
    written = BytesIO()
    write_po(written, said, width=100, include_lineno=False, sort_by_file=True, omit_header=True)
    about = next((line for line in said.header_comment.split("\n") if not _BABELS.match(line)), "#")
    head = _HEAD.format(about=about, locale=said.locale, plurals=said.plural_forms)
    path.write_text(f"{head}\n{written.getvalue().decode()}", "utf-8")


def _path(code: str) -> Path:
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", code) or code == SOURCE:
        raise NotFound("This is not the code of a language, as in “pt” or “pt-BR”.", where=code)
    return LOCALE / f"{code}.po"


def _locale(code: str) -> Locale:
    try:
        return Locale.parse(code, sep="-")
    except UnknownLocaleError:
        raise NotFound("Nobody has told Babel about this language.", where=code) from None


def _lack(message: Message, said: Message | None) -> Iterator[Lack]:
    one, *many = _forms(message.id)
    forms = _forms(said.string) if said is not None else ("",)
    if said is None or not all(forms):
        yield Lack(one, "is not translated")
    elif said.fuzzy:
        yield Lack(one, "is marked fuzzy")
    else:
        # What English leaves out for one thing ("another person"), others may leave out for any number.
        allowed = _placeholders(one).union(*map(_placeholders, many))
        needed = allowed - ({"num", "n"} if many else set())
        if any(not needed <= _placeholders(form) <= allowed | {"num"} for form in forms):
            yield Lack(one, "has other placeholders")
        if any(_tags(form) != _tags(one) for form in forms):
            yield Lack(one, "has other tags")


def _forms(text: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return (text or "",) if text is None or isinstance(text, str) else tuple(text)


def _placeholders(text: str) -> set[str]:
    """The names in `%(name)s`; a lone percent sign is "%", which no message has."""
    return {found[1] or found[0] for found in _PLACEHOLDER.finditer(text) if found[0] != "%%"}


def _tags(text: str) -> Counter[str]:
    return Counter(_TAG.findall(text))
