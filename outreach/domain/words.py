"""What people type, made safe to carry: one line stays one line, and no character hides.

Cleaning repairs what is harmless (odd spaces, invisible characters) and refuses, with a sentence for people, what
could only be a mistake or a trick (a line break in a name, an address where a name belongs). Cleaned text is in
Unicode's normal form C and never needs another look: cleaning it again changes nothing.
"""

from __future__ import annotations

import re
import unicodedata

from .sentences import _

NAME_LIMIT = 78
PLACE_LIMIT = 80
WORDS_LIMIT = 2000
BODY_LIMIT = 10_000
LINE_LIMIT = 150

#: Columns a letter's text is wrapped at, and the octets no line of a mail may exceed.
WIDTH = 72  # with three bytes to spare: quoted-printable breaks its own lines at 76
_LONGEST_LINE = 998
_DEEPEST_HANG = 20

_ZERO_WIDTH_JOINERS = "\u200c\u200d"
#: Letters that are written joined, where a joiner between two letters changes the word: Arabic to Sinhala, Khmer.
_JOINING = re.compile("[\u0600-\u08ff\u0900-\u0dff\u1780-\u18af]")
#: Characters that count as letters or symbols but show nothing.
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")

#: Ordinary text has one or two accents on a letter; more is meant to run over the lines around it.
_ACCENTS_LIMIT = 2
_MARKS_LIMIT = 4

_ENCODED_WORD = re.compile(r"=\?|\?=")
_WEB_ADDRESS = re.compile(
    r"://|\bwww\.|[\w-]\.(?:com|net|org|info|biz|io|co|ru|cn|xyz|top|shop|site|online|app|dev|me|ly|link|click)\b",
    re.IGNORECASE,
)
_GLUED_DOT = re.compile(r"(?<=\w\w)\.(?=\w\w)")


def one_line(text: str, *, limit: int = LINE_LIMIT, what: str = _("This")) -> str:
    """One line that may stand in a mail's header. ValueError for line breaks, encoded words, and over `limit`."""
    _refuse_line_breaks(text, _("%(what)s goes on one line.", what=what))
    text = " ".join(_visible(text).split())
    if _ENCODED_WORD.search(text):
        raise ValueError(_("%(what)s cannot hold “=?” or “?=”.", what=what))
    if len(text) > limit:
        raise ValueError(_("%(what)s can have at most %(limit)s characters.", what=what, limit=limit))
    return text


def short_line(text: str, limit: int = LINE_LIMIT) -> str:
    """What `one_line` would take, made of any text: repaired, and cut with an ellipsis, instead of refused."""
    text = " ".join(text.split())
    if not text.isprintable():
        text = " ".join(_visible(text).split())
    if "=?" in text or "?=" in text:
        text = text.replace("=?", "= ?").replace("?=", "? =")
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def clean_name(text: str) -> str:
    """A person's name, 2 to 78 characters. It will stand in the From line of a letter, so it holds no address."""
    _refuse_line_breaks(text, _("Names go on one line."))
    text = " ".join(_visible(text).split())
    plain = unicodedata.normalize("NFKC", text)  # a wide "＠" is read as "@", by people and by some programs
    if any(sign in plain for sign in "@<>") or _WEB_ADDRESS.search(plain):
        raise ValueError(_("A name cannot hold an address or a link."))
    if _ENCODED_WORD.search(text):
        raise ValueError(_("A name cannot hold “=?” or “?=”."))
    text = _GLUED_DOT.sub(". ", text)  # "Dr.Doe" reads "Dr. Doe"; mail programs make a link of "any.thing"
    if not any(unicodedata.category(sign)[0] == "L" for sign in text) or len(text) < 2:
        raise ValueError(_("Give your name as it should stand under the letter."))
    if len(text) > NAME_LIMIT:
        raise ValueError(_("A name can have at most %(limit)s characters.", limit=NAME_LIMIT))
    return text


def clean_place(text: str) -> str:
    """A city or postal code: one line of at most 80 characters, or ""."""
    text = one_line(text, limit=PLACE_LIMIT, what=_("A place"))
    if any(sign in text for sign in "@<>") or "://" in text:
        raise ValueError(_("A place cannot hold an address or a link."))
    return text


def clean_words(text: str) -> str:
    """A signer's own words: any text of at most 2,000 characters, or "".

    Line ends become "\\n", tabs spaces, and paragraphs stand one blank line apart. Nothing else of what shows is
    changed.
    """
    return _short_enough(_lines(text), WORDS_LIMIT)


def clean_body(text: str) -> str:
    """The open part of a letter as its signer rewrote it: the same, of at most 10,000 characters."""
    return _short_enough(_lines(text), BODY_LIMIT)


def _lines(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "\n").replace("\t", "    ")
    text = re.sub("[\u2028\u2029\x85\x0b]", "\n", text)
    lines = (_visible(line).rstrip() for line in text.split("\n"))
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
    return text if text.strip() else ""


def _short_enough(text: str, limit: int) -> str:
    if len(text) > limit:
        length = len(text)
        raise ValueError(
            _("Your own words can have at most %(limit)s characters; these are %(length)s.", limit=limit, length=length)
        )
    return text


def _refuse_line_breaks(text: str, sentence: str) -> None:
    if any(sign in text for sign in "\r\n\0\x0b\x0c\x85\u2028\u2029"):
        raise ValueError(sentence)


def _visible(text: str) -> str:
    """`text` in normal form, without the characters that show nothing, turn the line around, or pile up."""
    if text.isascii() and text.isprintable():
        return text
    # Dropping a hidden character may bring together what composes, and composing what counts: hence to the end.
    while (cleaned := unicodedata.normalize("NFC", _without_hidden(unicodedata.normalize("NFC", text)))) != text:
        text = cleaned
    return text


def _without_hidden(text: str) -> str:
    kept: list[str] = []
    accents = marks = 0
    for at, sign in enumerate(text):
        kind = unicodedata.category(sign)
        if kind == "Zs" or sign == "\t":
            sign = " "
        elif kind[0] in "CZ":
            if not (sign in _ZERO_WIDTH_JOINERS and _joins(kept, text[at + 1 : at + 2])):
                continue
        elif sign in _BLANKS:
            continue
        if kind in ("Mn", "Me"):
            piles_up = unicodedata.combining(sign) == 1 or unicodedata.combining(sign) >= 200
            if marks >= _MARKS_LIMIT or (piles_up and accents >= _ACCENTS_LIMIT):
                continue
            marks, accents = marks + 1, accents + piles_up
        elif kind != "Mc":
            accents = marks = 0
        kept.append(sign)
    return "".join(kept)


def _joins(before: list[str], after: str) -> bool:
    return bool(before and _JOINING.match(before[-1]) and _JOINING.match(after))


_ITEM = re.compile(r"( *)((?:\(?\d{1,3}[.)]|\(?[a-zA-Z][.)]|[-*•–—]) +)?")


def wrap(text: str) -> str:
    """`text` with lines of at most 72 columns. Lines that fit stay as they are; list items hang.

    Lines break at spaces only, so a web address or any other long word stays whole, until no mail could carry it
    on one line.
    """
    return "\n".join(wrapped_lines(text))


def wrapped_lines(text: str) -> list[str]:
    """The lines of `text` as their author broke them, each wrapped: an entry may hold line breaks that are ours."""
    return ["\n".join(_folded(line)) if len(line) > WIDTH else line for line in text.split("\n")]


def _folded(line: str) -> list[str]:
    line = line.rstrip(" ")
    margin = _ITEM.match(line).end()  # type: ignore[union-attr]  # the pattern matches every line
    hanging = " " * margin if margin <= _DEEPEST_HANG else ""
    lines = []
    while len(line) > WIDTH:
        cut = line.rfind(" ", margin + 1, WIDTH + 1)
        if cut < 0:  # one long word: it ends where it ends
            cut = line.find(" ", margin + 1)
        if cut < 0:
            break
        lines.append(line[:cut].rstrip(" "))
        line, margin = hanging + line[cut:].lstrip(" "), len(hanging)
    lines.append(line)
    return [piece for whole in lines for piece in _carried(whole)]


def _carried(line: str) -> list[str]:
    """`line`, cut where a mail could not carry it: into pieces of at most 998 octets, accents kept with letters."""
    pieces = []
    while len(line) * 4 > _LONGEST_LINE and len(line.encode()) > _LONGEST_LINE:
        cut = len(line.encode()[:_LONGEST_LINE].decode(errors="ignore"))
        marks = next((n for n in range(_MARKS_LIMIT + 1) if unicodedata.category(line[cut - n])[0] != "M"), 0)
        cut -= marks
        pieces.append(line[:cut])
        line = line[cut:]
    return [*pieces, line]
