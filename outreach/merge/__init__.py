"""Merging: a letter version and a signer's fields become a letter, and a letter becomes a mail.

`check_letter` looks hard at what an organizer wrote, once, when it is saved. `LetterForm` writes letters from it,
thousands a second. `compose_letter`, `compose_notice` and `compose_mailing` put them into envelopes.
"""

from .bundles import Part, compose_bundle
from .checking import check_letter, check_mailing
from .enclosed import Enclosed, how_many_fit, letters_in, table_without
from .envelopes import Envelope, compose_letter, letter_in
from .forwards import AnswerFields, compose_forward
from .letters import Letter, LetterForm
from .mailings import MailingForm, Stop, compose_mailing
from .notices import NoticeFields, compose_notice
from .steps import compose_step

__all__ = [
    "AnswerFields",
    "Enclosed",
    "Envelope",
    "Letter",
    "LetterForm",
    "MailingForm",
    "NoticeFields",
    "Part",
    "Stop",
    "check_letter",
    "check_mailing",
    "compose_bundle",
    "compose_forward",
    "compose_letter",
    "compose_mailing",
    "compose_notice",
    "compose_step",
    "how_many_fit",
    "letter_in",
    "letters_in",
    "table_without",
]
