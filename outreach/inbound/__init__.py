"""Mail that comes in: bounces, complaints, and readers who write to say stop.

    mails.py     a mail as far as we look into it, and the address of ours it came to
    reports.py   bounces (RFC 3464) and complaints (RFC 5965) as events; pure
    taking.py    what one mail is, and what becomes of it
    maildirs.py  a folder of such mails, worked off

Nothing here ever answers a mail, so no loop can begin here. A report is believed only when it came to the return
address that was made for exactly that mail.
"""

from .maildirs import Sorted, take_all
from .taking import Kind, take

__all__ = ["Kind", "Sorted", "take", "take_all"]
