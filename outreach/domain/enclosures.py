"""Which files of an answer its signer gets: a few kinds that are looked at and never run, within a size."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .messages import Attachment

#: Type → the ending its name gets, and the octets such a file begins with.
_KINDS: Mapping[str, tuple[str, tuple[bytes, ...]]] = {
    "application/pdf": ("pdf", (b"%PDF-",)),
    "image/png": ("png", (b"\x89PNG\r\n\x1a\n",)),
    "image/jpeg": ("jpg", (b"\xff\xd8\xff",)),
    "text/plain": ("txt", ()),
}
#: Bytes and number of files that one forwarded answer may carry.
LARGEST, MOST = 5_000_000, 5


class Enclosed:
    """Fills up with the files that may go along; `left_out` names those that may not, in order."""

    def __init__(self) -> None:
        self.attachments: list[Attachment] = []
        self.left_out: list[str] = []
        self._room = LARGEST

    def offer(self, name: str, kind: str, content: bytes) -> None:
        """Take a file along, or note that it is left out."""
        passed = passable(kind, content)
        if not passed or len(content) > self._room or len(self.attachments) >= MOST:
            self.left_out.append(name)
            return
        self._room -= len(content)
        stem = re.sub(r"[^A-Za-z0-9_]+", "-", name.rpartition(".")[0] or name).strip("-_")[:40]
        number = len(self.attachments) + 1
        self.attachments.append(Attachment(f"{number}-{stem or 'file'}.{_KINDS[kind][0]}", kind, content))


def passable(kind: str, content: bytes) -> bool:
    """Whether a file of this type may be passed on, and is what it says it is."""
    if kind not in _KINDS or not content:
        return False
    if kind == "text/plain":
        return _is_text(content)
    return content.startswith(_KINDS[kind][1])


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode("utf-8")
    except UnicodeDecodeError:
        return False
