"""A mail as far as we look into it: its parts, and the addresses of ours it may have come to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from email import message_from_bytes
from email.message import Message
from email.utils import getaddresses
from typing import cast

#: Bytes of a mail that are looked at: what the largest providers pass on.
LARGEST = 30_000_000
#: Where servers write the address a mail came to, the most certain first. Writers choose what stands in the last two.
_RECIPIENTS = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Delivered-To", "To", "Cc")
_MOST_ADDRESSES = 50
#: Parts within parts within parts: nobody's mail program does that.
_DEEPEST = 20


class Unreadable(Exception):
    """This is no mail that can be read."""


def read_mail(octets: bytes) -> Message:
    """Raises Unreadable."""
    if not octets.strip():
        raise Unreadable("it is empty")
    if len(octets) > LARGEST:
        raise Unreadable("it is too large")
    try:
        return message_from_bytes(octets)
    except (RecursionError, ValueError, LookupError) as error:
        raise Unreadable(type(error).__name__) from None


def parts_of(mail: Message, *, depth: int = 0) -> Iterator[Message]:
    """The mail and every part in it, from the outside in."""
    yield mail
    if depth < _DEEPEST:
        for part in inner_parts(mail):
            yield from parts_of(part, depth=depth + 1)


def inner_parts(mail: Message) -> list[Message]:
    """The parts that stand in it directly. The library must not be asked for the payload of what has none: it decodes
    that by whatever character set its writer named, and breaks.
    """
    if not mail.is_multipart():
        return []
    return [part for part in cast("list[object]", mail.get_payload()) if isinstance(part, Message)]


def local_parts(mail: Message, domain: str, *, to: Sequence[str] = ()) -> list[str]:
    """The local parts at `domain` that the mail came to: those of `to` where the server said so, else its headers'."""
    headers = [str(value) for name in _RECIPIENTS for value in mail.get_all(name, [])]
    found = [_local_part(address, domain) for address in to or _addresses(headers)]
    return list(dict.fromkeys(local for local in found if local))


def local_parts_in(values: Sequence[str], domain: str) -> list[str]:
    """The local parts at `domain` in these header values."""
    return [local for address in _addresses(values) if (local := _local_part(address, domain))]


def _addresses(values: Sequence[str]) -> list[str]:
    short = [re.sub(r"\s+", " ", value)[:5_000] for value in values]
    return [address for _, address in getaddresses(short)][:_MOST_ADDRESSES]


def _local_part(address: str, domain: str) -> str:
    local, _, where = address.strip("<> ").rpartition("@")
    return local.lower() if where.lower() == domain.lower() else ""
