"""A person's rights: everything we hold about them, and the end of it.

records.py     where a person appears, table by table
erasing.py     taking a person out, so that only what nobody can read back stays
leftovers.py   what lies outside the database: the engine's own copies of mails, and SendGrid's records
copies.py      the copy of a bundle without somebody's letter
retention.py   the same for what has been kept long enough
portions.py    long lists, as much of them at a time as a statement takes
"""

from .erasing import ERASED, Erased, erase, look
from .leftovers import Cleared, are_left, clear
from .records import Person, export, find
from .retention import RULES, Overdue, apply, overdue

__all__ = [
    "ERASED",
    "RULES",
    "Cleared",
    "Erased",
    "Overdue",
    "Person",
    "apply",
    "are_left",
    "clear",
    "erase",
    "export",
    "find",
    "look",
    "overdue",
]
