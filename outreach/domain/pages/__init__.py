"""Campaign pages as plain text, read as they stand: what a file says, line by line, and the letter it makes.

    text.py        bytes → clean, numbered lines
    addressees.py  "President Joe Biden, DHS Secretary Mayorkas" → offices and names
    marks.py       lines that say what they are: "To:", "1)", "Why is this important?", "Sponsored by"
    heading.py     the title and the targets
    embedded.py    the letter at the page's end, its placeholders made into merge fields
    mentions.py    coalition, sponsors and the call to sign, where prose names them
    reading.py     all of it together: `read_page`
    drafting.py    page → subject, header, body and footer of a letter version

Nothing of a file is dropped: every line that is not blank has exactly one role, and what has none is *unplaced*
and kept in the story.
"""

from .addressees import Addressee, read_addressees
from .drafting import Draft, draft
from .embedded import Letter
from .reading import Ask, Page, Placed, read_page
from .text import MAX_BYTES, Line, decode, fingerprint, lines_of

__all__ = [
    "MAX_BYTES",
    "Addressee",
    "Ask",
    "Draft",
    "Letter",
    "Line",
    "Page",
    "Placed",
    "decode",
    "draft",
    "fingerprint",
    "lines_of",
    "read_addressees",
    "read_page",
]
