"""Claim, merge, hand over, settle: one short loop, in batches.

parcels.py   what a claimed delivery needs to become a mail
campaign_words.py  what of it the mails of a campaign share
rows.py      the same for a whole batch at once: one query for each class of mail
hands.py     the threads and kept-open connections that hand mails over
ways.py      the way out a batch takes: the first, or the one to fall back on
writing.py   the mails of one round
rounds.py    one claim, worked off in rounds; the loop itself
bundles.py   all letters of one office as one mail
"""

from .bundles import send_bundles
from .hands import Hands
from .parcels import Desk
from .rounds import send_due
from .ways import Fallback

__all__ = ["Desk", "Fallback", "Hands", "send_bundles", "send_due"]
