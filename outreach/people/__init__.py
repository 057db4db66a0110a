"""A person's rights: everything we hold about them, and the end of it.

records.py     where a person appears, table by table
erasing.py     taking a person out, so that only what nobody can read back stays
retention.py   the same for what has been kept long enough
"""

from .erasing import ERASED, Erased, erase, look, remove_mails
from .records import Person, export, find
from .retention import RULES, Overdue, apply, overdue

__all__ = [
    "ERASED",
    "RULES",
    "Erased",
    "Overdue",
    "Person",
    "apply",
    "erase",
    "export",
    "find",
    "look",
    "overdue",
    "remove_mails",
]
