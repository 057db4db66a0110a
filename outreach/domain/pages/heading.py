"""The title and the targets: the lines at the top, in either order, with or without "To:"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from outreach.errors import BadPage

from . import marks
from .addressees import LIST_LIMIT, Addressee, are_offices, could_be_addressees, read_addressees, same_people
from .mentions import sentences
from .text import Line, ends_a_sentence, in_one_line

#: A title is also the letter's subject.
TITLE_LIMIT = 150
_LABEL_LIMIT = 150
_LISTS_LIMIT = 200


@dataclass(slots=True)
class Heading:
    """What the top of a page says, and the lines that say it."""

    title: str = ""
    title_line: int = 0
    targets: tuple[Addressee, ...] = ()
    target_lines: set[int] = field(default_factory=set)


def read_heading(lines: Sequence[Line], letter_to: tuple[Addressee, ...], *, name: str) -> Heading:
    """The title and targets of a page. `letter_to`: whom its letter is addressed to. BadPage when either is missing."""
    heading = Heading()
    named = _to_lines(lines, heading, name)
    rest = [line for line in lines if line.text and line.number not in heading.target_lines]
    first, second = (*rest[:2], None, None)[:2]
    if not named and first and second:
        title, target = _told_apart(first, second, letter_to)
        if target:
            named = [(target.number, read_addressees(target.text))]
            heading.target_lines.add(target.number)
        first = title
    elif not named and first and letter_to and _is_addressed(first.text, letter_to):
        first = None
    found = [one for _, everybody in named for one in everybody] or list(letter_to)
    heading.targets = tuple(dict.fromkeys(found))
    if first is None or not _could_be_title(first.text):
        raise BadPage(
            "The page has no title.", where=_where(name, first), advice="Put it on a line of its own, on top."
        )
    if not heading.targets:
        raise BadPage(
            "The page names no target.", where=name, advice="Add a line such as “To: Mayor Jane Doe” under the title."
        )
    for number, everybody in named:
        if too_long := next((one for one in everybody if len(one.label) > _LABEL_LIMIT), None):
            raise BadPage(
                f"“{too_long.label[:40]}…” is too long for a target.",
                where=f"{name}:{number}",
                advice="Write office and name only, with commas between targets.",
            )
    marked = marks.TITLE.match(first.text)
    heading.title = in_one_line(marked["title"] if marked else first.text)
    heading.title_line = first.number
    return heading


def _where(name: str, line: Line | None) -> str:
    return f"{name}:{line.number}" if line else name


def _to_lines(lines: Sequence[Line], heading: Heading, name: str) -> list[tuple[int, tuple[Addressee, ...]]]:
    """Every "To:" line with its continuations: after a comma, or below a "To:" that stands alone."""
    named: list[tuple[int, tuple[Addressee, ...]]] = []
    at = 0
    while at < len(lines):
        start = lines[at]
        said = marks.whom(start.text)
        at += 1
        if said is None or (ends_a_sentence(said) and len(said.split()) > 12):
            continue
        numbers, parts = [start.number], [said] if said else []
        while not said and at < len(lines) and not lines[at].text:  # "To:" and a blank line before the names
            at += 1
        while (
            at < len(lines)
            and lines[at].text
            and marks.whom(lines[at].text) is None
            and _goes_on(said, parts, lines[at].text)
        ):
            parts.append(lines[at].text)
            numbers.append(lines[at].number)
            at += 1
        if parts and _name_follows(parts[-1], lines[at:]):
            parts[-1] += f" {lines[at].text}"
            numbers.append(lines[at].number)
            at += 1
        whole = _joined(parts)
        if len(whole) > LIST_LIMIT:
            raise BadPage(
                f"The list of targets is longer than {LIST_LIMIT:,} characters.",
                where=f"{name}:{start.number}",
                advice="Name the offices only, with commas between them.",
            )
        everybody = read_addressees(whole)
        if len(named) == _LISTS_LIMIT:
            raise BadPage(f"The page has more than {_LISTS_LIMIT} “To:” lines.", where=f"{name}:{start.number}")
        heading.target_lines.update(numbers)
        named.append((start.number, everybody))
    return named


def _goes_on(said: str, parts: list[str], line: str) -> bool:
    if parts and re.search(r"(?:[,;&]|\band)$", parts[-1], re.IGNORECASE):
        return True
    return (
        not said
        and (not parts or are_offices(parts[0]))
        and (are_offices(line) or (not parts and could_be_addressees(line)))
    )


def _name_follows(part: str, lines: Sequence[Line]) -> bool:
    """Whether the line broke between an office and its name; a title must still stand below."""
    below = [line.text for line in lines[1:] if line.text]
    if len(lines) < 2 or not lines[0].text or lines[1].text or not below or not _could_be_title(below[0]):
        return False
    *_, before = read_addressees(part) or (None,)
    *_, after = read_addressees(f"{part} {lines[0].text}") or (None,)
    is_completed = before and after and before.office == after.office and not before.name and after.name
    return bool(is_completed) and not below[0].endswith(".")


def _joined(parts: list[str]) -> str:
    return " ".join(
        part if part.endswith((",", ";", "&", "and")) or n == len(parts) - 1 else part + ";"
        for n, part in enumerate(parts)
    )


def _told_apart(first: Line, second: Line, letter_to: tuple[Addressee, ...]) -> tuple[Line | None, Line | None]:
    """Which of the top two lines is the title and which, if any, the target."""
    if _is_addressed(second.text, letter_to):
        return first, second
    if _is_addressed(first.text, letter_to):
        return (second, first) if _could_be_title(second.text) and not ends_a_sentence(second.text) else (None, first)
    if not letter_to and could_be_addressees(second.text) and not marks.begins_a_part(second.text):
        return first, second
    return first, None


def _is_addressed(text: str, letter_to: tuple[Addressee, ...]) -> bool:
    return are_offices(text) or (
        bool(letter_to) and len(text) <= LIST_LIMIT and same_people(read_addressees(text), letter_to)
    )


def _could_be_title(text: str) -> bool:
    """One short line. A title may end in a full stop, a paragraph of the story is longer than that."""
    if marks.begins_a_part(text) or not any(sign.isalnum() for sign in text):
        return False
    is_prose = len(text) > 80 and (text.rstrip("”\"'").endswith(".") or len(sentences(text)) > 1)
    return len(text) <= TITLE_LIMIT and not is_prose
