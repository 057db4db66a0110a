"""Ladders: follow-up sequences. What a signer did puts them on a rung; when its time comes, a notice goes out.

building.py   ladders and their rungs, and those every campaign begins with
climbing.py   the chore: put signers on rungs, and send what is due
"""

from .building import DEFAULTS, NewRung, add_rung, build, check, edit_rung, end_rung, ladders_of, stop
from .climbing import Climbed, climb

__all__ = [
    "DEFAULTS",
    "Climbed",
    "NewRung",
    "add_rung",
    "build",
    "check",
    "climb",
    "edit_rung",
    "end_rung",
    "ladders_of",
    "stop",
]
