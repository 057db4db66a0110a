"""What stands in an answer: its subject, its sender, its words, and the files that came along. Pure.

Mail programs write everything there is: wrong character sets, pages without text, mails in mails, files that only one
program can open. Whatever it is, something readable comes out, and nothing of it is ever run or shown as markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr

from outreach.domain.automatic import Signs
from outreach.domain.mails import inner_parts, parts_of
from outreach.domain.markup import text_of_page
from outreach.domain.quoting import part
from outreach.domain.words import short_line

#: Characters of an answer that are kept beside the whole mail, and parts of a mail that are looked at.
LONGEST_TEXT = 100_000
_MOST_PARTS = 200
_LONGEST_HEADER = 1_000
_LONGEST_NAME = 80

#: Neither a database nor a page takes these; line ends and tabs aside.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file in a mail. `name` is what its sender called it, on one line; `kind` a type such as "application/pdf"."""

    name: str
    kind: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Words:
    """What an answer says: its subject, what its writer wrote, and the original below it."""

    subject: str
    written: str
    quoted: str


def words_of(mail: Message) -> Words:
    """The words of a mail, quotation apart; without any readable text both are ""."""
    parted = part(_text(mail)[:LONGEST_TEXT])
    return Words(header(mail, "Subject"), parted.written, parted.quoted)


def signs_of(mail: Message) -> Signs:
    """What the mail says about who sent it. Of a header that comes twice the first counts."""
    headers: dict[str, str] = {}
    for name, value in mail.items():
        headers.setdefault(name.lower(), str(value)[:_LONGEST_HEADER])
    types = frozenset(piece.get_content_type() for _, piece in zip(range(_MOST_PARTS), parts_of(mail), strict=False))
    return Signs(headers, types, sender_of(mail)[1])


def sender_of(mail: Message) -> tuple[str, str]:
    """The name and address in From, as somebody typed them; neither proves anything."""
    name, address = parseaddr(str(mail.get("From", ""))[:_LONGEST_HEADER].replace("\r", "").replace("\n", ""))
    return short_line(_decoded(name), _LONGEST_NAME), short_line(address, 254)


def header(mail: Message, name: str) -> str:
    """A header as people read it, on one line; "" without one."""
    return short_line(_decoded(str(mail.get(name, ""))[:_LONGEST_HEADER]))


def enclosures_of(mail: Message) -> list[Enclosure]:
    """The files that came along, in their order. Pictures that belong to the page of the mail are none."""
    return [_enclosure(piece) for piece in _leaves(mail) if _is_file(piece)]


def _text(mail: Message) -> str:
    """Its plain text; of a mail that is a page only, the words of the page."""
    leaves = [piece for piece in _leaves(mail) if not _is_file(piece)]
    plain = [text for piece in leaves if _kind(piece) == "text/plain" and (text := _content(piece)).strip()]
    pages = [piece for piece in leaves if _kind(piece) == "text/html"]
    return "\n\n".join(plain) if plain else "\n\n".join(text_of_page(_content(page)) for page in pages).strip()


def _leaves(mail: Message) -> Iterator[Message]:
    """Its parts that have no parts, from the first to the last. A mail inside a mail is one part."""
    waiting, count = [mail], 0
    while waiting and count < _MOST_PARTS:
        piece, count = waiting.pop(), count + 1
        inner = inner_parts(piece) if piece.get_content_maintype() != "message" else []
        if inner:
            waiting += reversed(inner)
        else:
            yield piece


def _is_file(piece: Message) -> bool:
    if piece.get_content_disposition() == "attachment":
        return True
    if _kind(piece) in ("text/plain", "text/html"):
        return False
    is_of_page = piece.get_content_disposition() == "inline" or piece.get("Content-ID") is not None
    return not (piece.get_content_maintype() == "image" and is_of_page)


def _kind(leaf: Message) -> str:
    """Its type. What says that it has parts, and has none that can be told apart, is read as text."""
    return "text/plain" if leaf.get_content_maintype() == "multipart" else leaf.get_content_type()


def _enclosure(piece: Message) -> Enclosure:
    try:
        given = piece.get_filename() or ""
    except (ValueError, LookupError, TypeError):  # a name in a character set that nobody knows
        given = ""
    name = short_line(_decoded(given).replace("/", "_").replace("\\", "_"), _LONGEST_NAME)
    return Enclosure(name or piece.get_content_type(), piece.get_content_type(), _octets(piece))


def _octets(piece: Message) -> bytes:
    payload = piece.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _content(piece: Message) -> str:
    """A text part as text: in the character set it names, or the one it turns out to be in."""
    octets = _octets(piece)[: LONGEST_TEXT * 8]
    try:
        named = piece.get_content_charset() or "utf-8"
    except (ValueError, LookupError):
        named = "utf-8"
    for charset, errors in ((named, "strict"), ("utf-8", "strict"), ("cp1252", "replace")):
        try:
            return _clean(octets.decode(charset, errors))
        except (LookupError, UnicodeError, ValueError):
            continue
    return ""


def _decoded(value: str) -> str:
    try:
        return _clean(str(make_header(decode_header(value))))
    except (MessageError, LookupError, UnicodeError, ValueError):
        return _clean(value)


def _clean(text: str) -> str:
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "\n"))
