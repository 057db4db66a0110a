"""What offices answer, and what becomes of it.

reading.py      a mail's words, sender, signs and files; pure
taking.py       an answer is kept once, linked to its letter, and passed on if a person wrote it
tallying.py     what was dropped without being kept, by day and kind
forwarding.py   what a signer is mailed of an answer
sharing.py      the signer wants it shown, staff decide, the campaign's page shows it
listing.py      answers as staff, signers and machines see them

The office knows its letter's alias and nothing else of the signer. A mail that a machine wrote is kept for staff to
look at, and never makes us send one.
"""

from .forwarding import forwards_of
from .listing import (
    Dropped,
    ReplyRow,
    SignersReply,
    campaign_replies,
    dropped_lately,
    find,
    kinds_of,
    row_of,
    signers_replies,
)
from .sharing import Shown, approve, ask_to_share, keep_private, refuse, wall
from .taking import Fate, pass_on, take
from .tallying import tally

__all__ = [
    "Dropped",
    "Fate",
    "ReplyRow",
    "Shown",
    "SignersReply",
    "approve",
    "ask_to_share",
    "campaign_replies",
    "dropped_lately",
    "find",
    "forwards_of",
    "keep_private",
    "kinds_of",
    "pass_on",
    "refuse",
    "row_of",
    "signers_replies",
    "take",
    "tally",
    "wall",
]
