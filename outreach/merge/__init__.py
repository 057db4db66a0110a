"""Merging: a letter version and a signer's fields become a letter, and a letter becomes a mail.

`check_letter` looks hard at what an organizer wrote, once, when it is saved. `LetterForm` writes letters from it,
thousands a second. `compose_letter` and `compose_notice` put them into envelopes.
"""

from .checking import check_letter
from .envelopes import Envelope, compose_letter
from .grammar import literal
from .letters import Letter, LetterForm
from .notices import NoticeFields, compose_notice

__all__ = [
    "Envelope",
    "Letter",
    "LetterForm",
    "NoticeFields",
    "check_letter",
    "compose_letter",
    "compose_notice",
    "literal",
]
