"""Signers from another system: a CSV file becomes signatures, each with its letters or its confirmation mail.

    name,email,city,postal_code,own_words,language,confirmed_at,
    consent_purpose,consent_text,consent_source,consent_date,source

Only `name` and `email` must be there. A row with `confirmed_at` was confirmed elsewhere: that is kept as evidence and
its letters are queued. A row without it gets a confirmation mail, like anybody who signs here. Whoever has signed the
campaign before, or withdrew, stays as they are; so the same file a second time changes nothing. One bad row is
reported by its line and does not lose the others.

rows.py     bytes become checked rows, or say by line why not
taking.py   rows become signatures, some hundred in one transaction
"""

from .rows import COLUMNS, Problem
from .taking import Report, import_signers

__all__ = ["COLUMNS", "Problem", "Report", "import_signers"]
