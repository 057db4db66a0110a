"""From a file's bytes to clean, numbered lines."""

from __future__ import annotations

import codecs
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from outreach.errors import BadPage

#: A campaign page is a few kilobytes; a file beyond this is something else.
MAX_BYTES = 1_000_000

#: Joiners change words in some scripts; every other format character only hides things.
_JOINERS = "\u200c\u200d"
#: "’" or "“" of UTF-8 beside bytes that are no UTF-8: two encodings in one file, so either reading would be wrong.
_UTF8_QUOTE = re.compile(rb"\xe2\x80[\x90-\xa6]")
_ENDS_SENTENCE = re.compile(r"[.!?:;…][”’\"')\]]*$")


@dataclass(frozen=True, slots=True)
class Line:
    """A line with its number in the file, from 1. "" is a blank line."""

    number: int
    text: str


def decode(raw: bytes, *, name: str) -> str:
    """The text of a file in UTF-8, UTF-16 with its mark, or Windows-1252. BadPage when it is none of them."""
    if len(raw) > MAX_BYTES:
        raise BadPage(
            f"The file is larger than {MAX_BYTES:,} bytes.", where=name, advice="A campaign page is plain text."
        )
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return raw.decode("utf-16")
        except UnicodeDecodeError:
            raise _binary(name) from None
    if b"\0" in raw:
        raise _binary(name)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        byte = raw[error.start]
    try:
        if _UTF8_QUOTE.search(raw):
            raise ValueError("two encodings in one file")
        return raw.decode("cp1252")
    except ValueError:
        raise BadPage(
            f"The byte {byte:#04x} fits neither UTF-8 nor Windows-1252.",
            where=f"{name}:{line}",
            advice="Save the file as UTF-8.",
        ) from None


def _binary(name: str) -> BadPage:
    return BadPage("This is not a text file.", where=name, advice="Save the page as plain text (UTF-8).")


def lines_of(text: str, *, name: str) -> tuple[Line, ...]:
    """The lines, blank ones included, as an editor numbers them. BadPage for control characters."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        cleaned = _clean(line)
        if any(unicodedata.category(sign) == "Cc" for sign in cleaned):
            raise BadPage(
                "The line holds control characters.", where=f"{name}:{number}", advice="Save the page as plain text."
            )
        found.append(Line(number, cleaned))
    return tuple(found)


def _clean(line: str) -> str:
    line = re.sub("[\t\x0b\x0c\x85\u2028\u2029]", " ", line)
    kept = (
        " " if unicodedata.category(sign) == "Zs" else sign
        for sign in line
        if sign in _JOINERS or unicodedata.category(sign) not in ("Cf", "Cs")
    )
    cleaned = unicodedata.normalize("NFC", "".join(kept)).strip()
    return cleaned if cleaned.strip(_JOINERS + " ") else ""


def fingerprint(text: str, *, name: str) -> str:
    """SHA-256 (hex) of what a page says: another encoding, line end or trailing space is still the same page."""
    whole = "\n".join(line.text for line in lines_of(text, name=name)).strip("\n")
    return hashlib.sha256(whole.encode()).hexdigest()


def in_one_line(text: str) -> str:
    """`text` with every run of spaces made one."""
    return " ".join(text.split())


def ends_a_sentence(text: str) -> bool:
    """Whether `text` ends as sentences do, closing quotes aside."""
    return bool(_ENDS_SENTENCE.search(text))


def would_have_fitted(before: str, after: str, width: int) -> bool:
    """Whether the first word of `after` had room on the line of `before`: then the line break was meant."""
    return len(before) + 1 + len(after.split(" ", 1)[0]) <= width


def column_of(lines: Iterable[str]) -> int:
    """The column a block of lines was wrapped at; 0 when it was not wrapped by any ordinary editor."""
    longest = max((len(line) for line in lines), default=0)
    return longest if longest <= 100 else 0
