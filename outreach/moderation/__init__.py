"""What staff do about signatures that are not what they seem.

sieving.py       what false signatures have in common: the preview, and the conditions of every chunk
suspects.py      signatures that are set aside, and clearing them
invalidating.py  ending many together, taking it back, and how far that is
carrying.py      the chore that does it, chunk by chunk
"""

from .carrying import Carried, carry_on
from .invalidating import Progress, latest, letters_gone, progress, sample, start, undo
from .sieving import Preview, SignatureRow, preview
from .suspects import Cleared, clear, reasons, suspects

__all__ = [
    "Carried",
    "Cleared",
    "Preview",
    "Progress",
    "SignatureRow",
    "carry_on",
    "clear",
    "latest",
    "letters_gone",
    "preview",
    "progress",
    "reasons",
    "sample",
    "start",
    "suspects",
    "undo",
]
