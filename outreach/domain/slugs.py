"""Short names for addresses: "Heat for every home!" → "heat-for-every-home"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container

SLUG_LIMIT = 60
#: Letters that take no accent off when they are decomposed.
_SPELLED = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i"})


def slug_of(title: str, *, taken: Container[str] = ()) -> str:
    """A title in a-z, 0-9 and hyphens, at most 60 characters; "-2", "-3" … when it is taken."""
    title = re.sub("[’‘'ʼ]", "", title).casefold().translate(_SPELLED)
    ascii_title = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    slug = _cut("-".join(re.findall(r"[a-z0-9]+", ascii_title)), SLUG_LIMIT) or "campaign"
    number = 2
    found = slug
    while found in taken:
        ending = f"-{number}"
        found = _cut(slug, SLUG_LIMIT - len(ending)) + ending
        number += 1
    return found


def _cut(slug: str, limit: int) -> str:
    """At most `limit` characters, ending with a whole word where there is one."""
    if len(slug) <= limit:
        return slug
    whole, hyphen, _ = slug[: limit + 1].rpartition("-")
    return (whole if hyphen and len(whole) > limit // 2 else slug[:limit]).strip("-")
