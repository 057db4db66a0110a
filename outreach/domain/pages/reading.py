"""A whole page: heading, opening, demands or asks, what follows them, why it matters, sponsors, and the letter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from outreach.errors import BadPage

from . import marks, mentions
from .addressees import Addressee
from .embedded import Embedded, Letter, find_letter, read_letter
from .heading import read_heading
from .text import Line, column_of, ends_a_sentence, in_one_line, lines_of, would_have_fitted


@dataclass(frozen=True, slots=True)
class Placed:
    """One line of the file and what it was understood as: "title", "demand 2", "unplaced", …"""

    line: int
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Ask:
    """An ask of a page: "Title: text. Learn more"."""

    title: str
    text: str
    link_label: str = ""
    link_url: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """What a file says. Paragraphs are parted by a blank line.

    `opening` is everything before the first demand, ask or heading; `story` the rest of the prose in its order,
    unplaced lines included; `closing` is that part of the story which follows the demands and was understood.
    """

    kind: str  #: "petition" | "letter"
    title: str
    targets: tuple[Addressee, ...]
    opening: str
    demands: tuple[str, ...]
    sponsors: tuple[str, ...]
    coalition: str
    story: str
    closing: str
    why: str
    asks: tuple[Ask, ...]
    call_to_act: str
    letter: Letter | None
    lines: tuple[Placed, ...]  #: every line that is not blank, in order

    @property
    def unplaced(self) -> tuple[Placed, ...]:
        """The lines that could not be placed."""
        return tuple(line for line in self.lines if line.role == "unplaced")


@dataclass(frozen=True, slots=True)
class _Paragraph:
    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)


@dataclass(slots=True)
class _Draft:
    """A page while it is read. `section` is where we are: "opening", "after", "why" or "sponsors"."""

    section: str = "opening"
    opening: list[str] = field(default_factory=list)
    demands: list[str] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    sponsors: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    closing: list[str] = field(default_factory=list)
    why: list[str] = field(default_factory=list)
    fragments: list[_Paragraph] = field(default_factory=list)  #: unplaced, each with its text in `story` too
    call: str = ""
    roles: dict[int, str] = field(default_factory=dict)

    @property
    def has_text(self) -> bool:
        return bool(self.opening or self.demands or self.why or self.asks or self.closing)


def read_page(text: str, *, name: str = "page") -> Page:
    """Read a page; `name` is what its errors call it. BadPage when there is no title, no target or no text."""
    lines = lines_of(text, name=name)
    if not any(line.text for line in lines):
        raise BadPage("The file is empty.", where=name, advice="A page needs a title, a “To:” line and its text.")
    found = find_letter(lines)
    around = [*lines[: found.start], *lines[found.end :]] if found else list(lines)
    heading = read_heading(around, found.to if found else (), name=name)
    draft = _Draft()
    draft.roles[heading.title_line] = "title"
    draft.roles.update(dict.fromkeys(heading.target_lines, "target"))
    for paragraph in _asks_made_whole(list(_paragraphs(around, set(draft.roles)))):
        _place(draft, paragraph)
    letter = _letter_of(found, name) if found else None
    if found:
        draft.roles.update(found.roles)
    if not (letter or draft.has_text):
        _take_fragments(draft)
    if not (letter or draft.has_text):
        raise BadPage("The page has no text.", where=name, advice="Say below the title what is asked for, and why.")
    return _page(draft, heading.title, heading.targets, letter, lines)


def _letter_of(found: Embedded, name: str) -> Letter:
    letter = read_letter(found)
    if not letter.body.strip():
        raise BadPage(
            "The letter has no text.",
            where=f"{name}:{min(found.roles)}",
            advice="Write it below “From: [Your Name]”, or take that line out.",
        )
    return letter


def _page(
    draft: _Draft, title: str, targets: tuple[Addressee, ...], letter: Letter | None, lines: Sequence[Line]
) -> Page:
    prose = [*draft.opening, *draft.closing, *draft.why]
    coalition = next((name for name in map(mentions.coalition_in, prose) if name), "")
    named = [*draft.sponsors, *(name for text in prose for name in mentions.sponsors_in(text))]
    if coalition and not any(coalition.casefold() in name.casefold() for name in named):
        named.append(coalition)
    return Page(
        kind="letter" if letter else "petition",
        title=title,
        targets=targets,
        opening="\n\n".join(draft.opening),
        demands=tuple(draft.demands) or (letter.demands if letter else ()),
        sponsors=tuple(
            {name.casefold(): name for name in reversed(named)}[key] for key in dict.fromkeys(map(str.casefold, named))
        ),
        coalition=coalition,
        story="\n\n".join(draft.story),
        closing="\n\n".join(draft.closing),
        why="\n\n".join(draft.why),
        asks=tuple(draft.asks),
        call_to_act=draft.call or mentions.call_in([*draft.why, *draft.closing, *draft.opening]),
        letter=letter,
        lines=tuple(Placed(line.number, draft.roles[line.number], line.text) for line in lines if line.text),
    )


def _paragraphs(lines: Sequence[Line], taken: set[int]) -> Iterator[_Paragraph]:
    """Lines that read on as one; a blank line, a line already placed or a mark begins the next."""
    group: list[Line] = []
    for line in [*lines, Line(0, "")]:
        if line.text and line.number not in taken:
            group.append(line)
        elif group:
            yield from _parted(group)
            group = []


def _parted(group: list[Line]) -> Iterator[_Paragraph]:
    width = column_of(line.text for line in group)
    start = 0
    for n in range(1, len(group) + 1):
        if n == len(group) or not _reads_on(group[n - 1].text, group[n].text, width):
            yield _Paragraph(tuple(group[start:n]))
            start = n


def _reads_on(before: str, text: str, width: int) -> bool:
    if marks.begins_a_part(text) or marks.is_sponsor_line(before) or _is_bare_heading(before):
        return False
    if not ends_a_sentence(before) or text[0].islower():
        return bool(width) or not _stands_alone(before, text)
    return bool(width) and not would_have_fitted(before, text, width)


def _stands_alone(before: str, text: str) -> bool:
    """Where lines are not wrapped, whether `text` is a whole paragraph, though the one before ends openly."""
    whole = text[0].isupper() and ends_a_sentence(text) and len(text.split()) >= 8
    return whole and before.split()[-1].casefold() not in _LEADING_ON


_LEADING_ON = frozenset(
    "a an and any as at but by for from in into of on or our that the their this to with which who will".split()  # noqa: SIM905
)


def _is_bare_heading(text: str) -> bool:
    found = marks.WHY.match(text)
    return bool(found) and not found["rest"]  # type: ignore[index]


def _asks_made_whole(paragraphs: list[_Paragraph]) -> list[_Paragraph]:
    """A "Learn more" on a line of its own belongs to the ask above it."""
    whole: list[_Paragraph] = []
    for paragraph in paragraphs:
        if whole and marks.LEARN_MORE.match(paragraph.text) and _titled(whole[-1].text):
            whole[-1] = _Paragraph(whole[-1].lines + paragraph.lines)
        else:
            whole.append(paragraph)
    return whole


_TITLED = re.compile(r"(?P<title>[^:.!?]{3,100}):\s+(?P<text>\S.*)$")
_URL = re.compile(r"https?://[^\s<>\"”)\]]+[^\s<>\"”)\].,;]")


def _titled(text: str) -> re.Match[str] | None:
    found = _TITLED.match(text)
    return found if found and found["title"][0].isalnum() and found["title"][0] == found["title"][0].upper() else None


def _ask(text: str) -> Ask | None:
    titled = _titled(text)
    more = marks.THEN_LEARN_MORE.search(titled["text"]) if titled else None
    if titled is None or more is None:
        return None
    url = _URL.search(more["label"])
    label = (more["label"][: url.start()] if url else more["label"]).rstrip(" :([])-–—>→»")
    label = label.removesuffix(" at").removesuffix(" here") if url else label
    if label.endswith(".") and "." not in label.split()[-1][:-1]:  # not the stop of "in the U.S."
        label = label[:-1]
    return Ask(titled["title"].strip(), titled["text"][: more.start()].strip(), label, url[0] if url else "")


def _place(draft: _Draft, paragraph: _Paragraph) -> None:
    """Find the paragraph's role, keep its text where it belongs, and note the role of each of its lines."""
    text = paragraph.text
    if (why := marks.WHY.match(text)) and len(why["heading"]) <= 80:
        draft.section = "why"
        draft.why += [why["rest"]] if why["rest"] else []
        role = "why"
    elif marks.is_sponsor_line(text):
        found = marks.SPONSORED.match(text)
        draft.sponsors += mentions.organisations((found["names"] if found else "") or "")
        draft.section = "sponsors"
        role = "sponsor"
    elif (demand := marks.numbered(text)) and (draft.section != "why" or not draft.demands):
        draft.demands.append(demand[1])
        draft.section = "after" if draft.section != "why" else "why"
        role = f"demand {len(draft.demands)}"
    elif ask := _ask(text):
        draft.asks.append(ask)
        draft.section = "after" if draft.section != "why" else "why"
        role = f"ask {len(draft.asks)}"
    elif not draft.call and mentions.is_call(text):
        draft.call = text
        role = "call to act"
    else:
        role = _place_prose(draft, paragraph)
    draft.roles.update(dict.fromkeys((line.number for line in paragraph.lines), role))


def _place_prose(draft: _Draft, paragraph: _Paragraph) -> str:
    text = paragraph.text
    if draft.section == "sponsors" and _is_fragment(text, words=12):
        draft.sponsors += [name for line in _listed(paragraph) for name in mentions.organisations(line)]
        return "sponsor"
    if draft.section == "sponsors":
        draft.section = "after"
    if _is_fragment(text, words=9) and not _introduces(draft, text):
        draft.story.append(text)
        draft.fragments.append(paragraph)
        return "unplaced"
    if draft.section == "opening":
        draft.opening.append(text)
        return "coalition" if mentions.coalition_in(text) else "opening"
    if draft.section == "why":
        draft.why.append(text)
        return "why"
    draft.story.append(text)
    draft.closing.append(text)
    if mentions.coalition_in(text):
        return "coalition"
    return "invitation" if re.search(r"\binvit(?:e|es|ed|ing|ation)\b", text, re.IGNORECASE) else "story"


def _listed(paragraph: _Paragraph) -> list[str]:
    """Names line by line; a line that ends in a comma or "and" goes on in the next."""
    rows: list[str] = []
    for line in paragraph.lines:
        if rows and re.search(r"(?:[,&]|\band)$", rows[-1]):
            rows[-1] += f" {line.text}"
        else:
            rows.append(line.text)
    return rows


def _is_fragment(text: str, *, words: int) -> bool:
    """Whether this is too short, and ends too openly, to be prose: we cannot know what it is."""
    if not any(sign.isalpha() for sign in text):
        return True
    return len(in_one_line(text).split()) <= words and not ends_a_sentence(text.rstrip("*_"))


def _take_fragments(draft: _Draft) -> None:
    """On a page of a few bare words ("Please fix it") those words are what it says."""
    for paragraph in draft.fragments:
        if len(re.findall(r"[^\W\d_]{2,}", paragraph.text)) > 1:
            draft.story.remove(paragraph.text)
            draft.opening.append(paragraph.text)
            draft.roles.update(dict.fromkeys((line.number for line in paragraph.lines), "opening"))


def _introduces(draft: _Draft, text: str) -> bool:
    is_about_demands = re.fullmatch(
        r"(?:our|the|these are our|we)\b[^.]*\b(?:demands?|asks?|calls?)\b[^.]*", text, re.IGNORECASE
    )
    return draft.section == "opening" and bool(is_about_demands)
