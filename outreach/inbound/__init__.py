"""Mail that comes in: bounces, complaints, readers who write to say stop, and what offices answer.

    reports.py   bounces (RFC 3464) and complaints (RFC 5965) as events; pure
    taking.py    what one mail is, and what becomes of it
    maildirs.py  a folder of such mails, worked off

Nothing here ever answers a mail, so no loop can begin here. A report is believed only when it came to the return
address that was made for exactly that mail.
"""

from .maildirs import Sorted, take_all
from .taking import Kind, take

__all__ = ["Kind", "Sorted", "take", "take_all"]
