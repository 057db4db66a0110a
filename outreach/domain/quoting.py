"""What somebody wrote, apart from the mail they answered, which most mail programs put below it.

Shapes of Gmail, Apple Mail, Outlook, Thunderbird and plain mail programs, in the languages below. When in doubt
nothing is split off: a quotation too many is a nuisance, an answer cut short is a loss.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Lines of a text that are looked at for the beginning of a quotation.
_MOST_LINES = 5_000
#: "On Monday … wrote:" may be broken over this many lines.
_ATTRIBUTION_LINES = 3

_ATTRIBUTION = re.compile(
    r"^[>\s]*(?:"
    r"On\b.{4,300}\bwrote"
    r"|El\b.{4,300}\bescribi[oó]"
    r"|Le\b.{4,300}\ba écrit"
    r"|Am\b.{4,300}\bschrieb\b.{0,200}"
    r"|Em\b.{4,300}\bescreveu"
    r"|Il\b.{4,300}\bha scritto"
    r"|Op\b.{4,300}\bschreef\b.{0,200}"
    r")\s*:\s*$",
    re.IGNORECASE,
)
_ATTRIBUTION_BEGINS = re.compile(r"^[>\s]*(?:On|El|Le|Am|Em|Il|Op)\s", re.IGNORECASE)
_DIVIDER = re.compile(
    r"^\s*[-_]{2,}\s*(?:original message|mensaje original|message d'origine|ursprüngliche nachricht|mensagem original"
    r"|messaggio originale|oorspronkelijk bericht)\s*[-_]{2,}\s*$",
    re.IGNORECASE,
)
_RULE = re.compile(r"^\s*_{10,}\s*$")
#: The first line of a header block as Outlook quotes it, and the lines of which one must follow soon.
_BLOCK_BEGINS = re.compile(r"^\s*\*?(?:From|De|Von|Da|Van)\s*:\s*\*?\s*\S", re.IGNORECASE)
_BLOCK_GOES_ON = re.compile(
    r"^\s*\*?(?:Sent|Date|Enviado(?: el)?|Fecha|Envoyé|Gesendet|Datum|Enviada(?: em)?|Data|Inviato|Verzonden)\s*:",
    re.IGNORECASE,
)
_BLOCK_LINES = 4


@dataclass(frozen=True, slots=True)
class Parted:
    """A mail's own words, and the quotation below or above them; "" when there is none."""

    written: str
    quoted: str


def part(text: str) -> Parted:
    """Split a quoted original off. Answers between the original's lines stay whole, as does a bare quotation."""
    lines = text.split("\n")
    begins = _first_of_original(lines[:_MOST_LINES])
    if begins is None:
        return _without_marked_block(lines, text)
    written = "\n".join(lines[:begins]).strip()
    below = lines[begins:]
    if not any(_is_marked(line) for line in below):
        return _parted(written, "\n".join(below), text)
    ends = max(place for place, line in enumerate(below) if _is_marked(line)) + 1
    if any(_is_own(line) for line in below[_attribution_lines(below) : ends]):
        return Parted(text.strip(), "")  # answers between the quoted lines: neither reads without the other
    after = "\n".join(below[ends:]).strip()
    own = "\n\n".join(piece for piece in (written, after) if piece)
    return _parted(own, "\n".join(below[:ends]), text)


def _first_of_original(lines: list[str]) -> int | None:
    """The line at which a mail program says that the original follows."""
    for place, line in enumerate(lines):
        if _DIVIDER.match(line) or _attribution_lines(lines[place : place + _ATTRIBUTION_LINES]):
            return place
        if _begins_block(lines, place):
            rule = place - 1
            while rule >= 0 and not lines[rule].strip():
                rule -= 1
            return rule if rule >= 0 and _RULE.match(lines[rule]) else place
    return None


def _attribution_lines(lines: list[str]) -> int:
    """Over how many of the first lines "On Monday … wrote:" goes; 0 when they say nothing of the kind."""
    if not lines or not _ATTRIBUTION_BEGINS.match(lines[0]):
        return 0
    for count in range(1, _ATTRIBUTION_LINES + 1):
        joined = " ".join(line.strip() for line in lines[:count])
        if _ATTRIBUTION.match(joined[:600]):
            return count
    return 0


def _begins_block(lines: list[str], place: int) -> bool:
    following = lines[place + 1 : place + 1 + _BLOCK_LINES]
    return bool(_BLOCK_BEGINS.match(lines[place])) and any(_BLOCK_GOES_ON.match(line) for line in following)


def _without_marked_block(lines: list[str], text: str) -> Parted:
    """Of a text without any word of introduction: lines marked ">" at its end are the original."""
    ends = len(lines)
    while ends and (_is_marked(lines[ends - 1]) or not lines[ends - 1].strip()):
        ends -= 1
    before, marked = lines[:ends], lines[ends:]
    if any(_is_marked(line) for line in before) or not any(_is_marked(line) for line in marked):
        return Parted(text.strip(), "")
    return _parted("\n".join(before).strip(), "\n".join(marked), text)


def _parted(written: str, quoted: str, text: str) -> Parted:
    """An answer of nothing but a quotation is shown as it is."""
    return Parted(written, quoted.strip("\n")) if written else Parted(text.strip(), "")


def _is_marked(line: str) -> bool:
    return line.lstrip().startswith(">")


def _is_own(line: str) -> bool:
    return bool(line.strip()) and not _is_marked(line)
