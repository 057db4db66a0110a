"""The letter at a page's end: "To: … / From: [Your Name] / Dear …,", its text, and who it leaves room for.

What the page's author wrote is text and stays text: only "[Your Name]" and its like become merge fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from . import marks
from .addressees import LIST_LIMIT, Addressee, are_offices, read_addressees
from .text import Line, column_of, ends_a_sentence, would_have_fitted

_PLACEHOLDER = re.compile(
    r"\[\s*([^\[\]{}]{1,60}?)\s*\]|<\s*((?:your|my|full|first)\s[^<>{}]{1,40}?)\s*>", re.IGNORECASE
)
_FILLER = re.compile(
    r"\b(?:your|my|the|a|insert|enter|add|type|write|here|signer['’]?s?|supporter['’]?s?|own)\b", re.IGNORECASE
)
_FIELDS = {
    "signer.name": ("name", "full name", "first and last name", "signature", "name and surname"),
    "signer.first_name": ("first name", "given name"),
    "signer.city": ("city", "town", "city/town", "town/city", "city or town"),
    "signer.postal_code": ("zip", "zip code", "zipcode", "postcode", "post code", "postal code"),
    "signer.own_words": (
        "words",
        "message",
        "personal message",
        "story",
        "comment",
        "comments",
        "personal story",
        "note",
    ),
}
_FIELD_OF = {spelling: name for name, spellings in _FIELDS.items() for spelling in spellings}
_CLOSING = re.compile(
    r"(?:yours|sincerely|respectfully|(?:best |kind |warm )?regards|best(?: wishes)?|thank you|thanks|in solidarity"
    r"|with |signed|warmly|cordially|faithfully|in hope|hopefully|gratefully|very truly)\b[^.?!:]{0,50}[,.!]?$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A page's own letter. `salutation`, `body` and `closing` are templates; "" where the page has none."""

    salutation: str
    body: str
    closing: str
    subject: str = ""  #: plain text
    signed: str = "{{ signer.name }}"  #: what stands after "From:"
    merge_fields: tuple[str, ...] = ("signer.name",)
    demands: tuple[str, ...] = ()


@dataclass(slots=True)
class Embedded:
    """The letter's lines, told apart by what they are."""

    start: int  #: index of its first line
    end: int  #: index after its last
    to: tuple[Addressee, ...] = ()
    roles: dict[int, str] = field(default_factory=dict)  #: line number → role
    subject: str = ""
    signed: str = ""  #: what stands after "From:"
    salutation: str = ""
    text: list[Line] = field(default_factory=list)


def literal(text: str) -> str:
    """`text` as a template that says exactly this: a brace begins nothing."""
    return text.replace("{", "{{ '{' }}")


def as_template(text: str) -> tuple[str, list[str]]:
    """`text` as a template, its placeholders made into merge fields; and which fields those are."""
    written, used, at = [], [], 0
    for found in _PLACEHOLDER.finditer(text):
        name = _field_of(found)
        if name is None:
            continue
        written += [literal(text[at : found.start()]), f"{{{{ {name} }}}}"]
        used.append(name)
        at = found.end()
    return "".join([*written, literal(text[at:])]), used


def unknown_placeholder(text: str) -> bool:
    """Whether `text` asks for something that no merge field gives, as "[Your Union Branch]" does."""
    return any(
        _field_of(found) is None and re.match(r"\W*your\b", found[0], re.IGNORECASE)
        for found in _PLACEHOLDER.finditer(text)
    )


def _field_of(found: re.Match[str]) -> str | None:
    key = " ".join(_FILLER.sub(" ", (found[1] or found[2]).casefold()).split()).strip(" ,.:")
    return _FIELD_OF.get(key)


def find_letter(lines: Sequence[Line]) -> Embedded | None:
    """The embedded letter with its head read; None for a page without one."""
    start = _start(lines)
    if start is None:
        return None
    letter = Embedded(start, len(lines))
    at = start
    while at < len(lines):
        line = lines[at]
        if not line.text:
            at += 1
            continue
        if (role := _head_role(line.text, letter)) is None:
            break
        letter.roles[line.number] = role
        at += 1
    if at < len(lines) and _greets(lines, at):
        letter.salutation = lines[at].text
        letter.roles[lines[at].number] = "salutation"
        at += 1
    for n in range(at, len(lines)):
        if marks.is_sponsor_line(lines[n].text) or marks.WHY.match(lines[n].text):
            letter.end = n
            break
    letter.text = list(lines[at : letter.end])
    return letter


def _start(lines: Sequence[Line]) -> int | None:
    """Where the letter begins: at a "To:" that "From:" or a greeting follows, at "From:", or at a "Dear …,"."""
    filled = [n for n, line in enumerate(lines) if line.text]
    for place, n in enumerate(filled):
        text = lines[n].text
        if marks.is_from(text) or (place > 1 and _is_greeting_of_letter(text)):
            return n
        if marks.whom(text) is not None and _leads_into_letter([lines[m].text for m in filled[place + 1 : place + 8]]):
            return n
    return None


def _is_greeting_of_letter(text: str) -> bool:
    """Whether a letter begins here without any head: "Dear …," or "To Mayor Doe,", on a line of its own."""
    whom = re.match(r"to\s+(.+)[,:]$", text, re.IGNORECASE)
    return (
        marks.is_greeting(text)
        and (re.match(r"dear\b", text, re.IGNORECASE) or (whom and are_offices(whom[1]))) is not None
    )


def _leads_into_letter(following: list[str]) -> bool:
    for text in following:
        if marks.is_from(text) or marks.is_greeting(text):
            return True
        if marks.whom(text) is None and not marks.SUBJECT.match(text):
            return False
    return False


def _head_role(text: str, letter: Embedded) -> str | None:
    if (whom := marks.whom(text)) is not None and len(whom) <= LIST_LIMIT and len(letter.to) < LIST_LIMIT:
        letter.to += read_addressees(whom)
        return "letter to"
    if not letter.signed and marks.is_from(text):
        found = marks.FROM.match(text)
        letter.signed = found["who"] if found else ""
        return "letter from"
    if not letter.subject and (found := marks.SUBJECT.match(text)):
        letter.subject = found["subject"]
        return "subject"
    return None


def _greets(lines: Sequence[Line], at: int) -> bool:
    text = lines[at].text
    ends_block = at + 1 == len(lines) or not lines[at + 1].text
    is_short_line = len(text) <= 120 and text.endswith(",") and ends_block
    is_bare = (
        ends_block
        and len(text) <= 100
        and not ends_a_sentence(text)
        and re.match(r"(?:dear|to)\s", text, re.IGNORECASE)
    )
    return marks.is_greeting(text) or is_short_line or bool(is_bare)


def read_letter(letter: Embedded) -> Letter:
    """The letter as templates. Adds the role of every line of its text to `letter.roles`."""
    body, closing = _without_closing(letter.text)
    for line in body:
        if line.text:
            demand = marks.numbered(line.text)
            letter.roles[line.number] = f"letter demand {demand[0]}" if demand else "letter"
    letter.roles.update({line.number: "closing" for line in closing if line.text})
    for line in letter.text:
        if unknown_placeholder(line.text):
            letter.roles[line.number] = "unplaced"
    paragraphs = list(_flowed(body))
    salutation, in_salutation = as_template(letter.salutation)
    text, in_body = as_template("\n\n".join(paragraphs))
    ending, in_closing = as_template("\n".join(line.text for line in closing).strip())
    demands = [found[1] for rows in paragraphs for row in rows.split("\n") if (found := marks.numbered(row))]
    signed, in_from = as_template(letter.signed)
    signed = signed if "signer.name" in in_from else "{{ signer.name }}"
    used = dict.fromkeys(["signer.name", *in_from, *in_salutation, *in_body, *in_closing])
    return Letter(salutation, text, ending, letter.subject, signed, tuple(used), tuple(demands))


def _without_closing(lines: list[Line]) -> tuple[list[Line], list[Line]]:
    """The text, and the lines that end it: "Sincerely," and what follows, or the placeholders alone."""
    filled = [n for n, line in enumerate(lines) if line.text]
    for n in filled[-6:]:
        after = [line.text for line in lines[n:] if line.text]
        is_closing = _CLOSING.match(after[0]) and len(after[0]) <= 60
        if (is_closing or _is_placeholder(after[0])) and all(len(text) <= 80 for text in after):
            return lines[:n], lines[n:]
    return lines, []


def _is_placeholder(text: str) -> bool:
    template, used = as_template(text)
    return bool(used) and used != ["signer.own_words"] and not re.search(r"\w", re.sub(r"\{\{.*?\}\}", "", template))


def _flowed(lines: Sequence[Line]) -> Iterator[str]:
    """Paragraphs, hard-wrapped lines joined again, lists line by line."""
    group: list[str] = []
    for text in [*(line.text for line in lines), ""]:
        if text:
            group.append(text)
        elif group:
            yield _joined(group)
            group = []


def _joined(group: list[str]) -> str:
    width = column_of(group)
    rows = [group[0]]
    for before, text in pairwise(group):
        was_wrapped = text[0].islower() or (width and not would_have_fitted(before, text, width))
        is_new = (
            marks.begins_a_part(text)
            or (not was_wrapped and ends_a_sentence(before))
            or (not was_wrapped and before.endswith(","))
        )
        rows[-1:] = [rows[-1], text] if is_new or not (was_wrapped or len(before) >= 45) else [f"{rows[-1]} {text}"]
    return "\n".join(rows)
