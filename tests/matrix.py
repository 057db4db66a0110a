"""The faults that are tried, each in a few words of ours, and what must come of them.

A test shows a row by carrying its number after the word: `test_fault_f7_…`, `test_c12_fault_f4_…`.
"""

from __future__ import annotations

import re

from tests.checklist import numbers_of

FAULTS = {
    "F1": "a worker is killed before its claim is committed: nothing has changed",
    "F2": "… after its claim: the letters are claimed anew, none is lost or doubled",
    "F3": "… after the attempt is committed, before the first byte: in doubt, and truly unsent",
    "F4": "… after the provider took it, before that is written down: in doubt until a report, one copy",
    "F5": "… while letters are being written: none is lost or doubled",
    "F6": "all workers are killed, at any moment: at most what was in the air is in doubt",
    "F7": "a worker stands still past its lease: it begins nothing that it no longer holds",
    "F8": "workers are replaced in the middle of a wave: nothing is in doubt",
    "F9": "Redis dies and comes back empty: everything leaves, nobody has to act",
    "F10": "Redis is emptied: likewise",
    "F11": "Redis stands still: letters are late, people sign as ever",
    "F12": "Redis is full: likewise",
    "F13": "the line to Redis breaks again and again: workers still hear",
    "F14": "PostgreSQL crashes and restarts: nothing is lost or doubled",
    "F15": "PostgreSQL is down when the answers come: they are written down afterwards",
    "F16": "PostgreSQL loses its last commits: unknown mails are told, and stop everything",
    "F17": "a deadlock: the loser tries again, the counters are whole",
    "F18": "PostgreSQL's disk is full: nothing leaves that is not written down",
    "F19": "SQLite is held by somebody, or its disk is full: likewise",
    "F20": "the provider asks for a pause: no call before it is over, nothing lost",
    "F21": "the provider has trouble of its own and says so: another try, later",
    "F22": "a gateway answers for the provider: in doubt, one copy",
    "F23": "no answer after the provider took it: in doubt, one copy",
    "F24": "the connection breaks: in doubt unless it surely never left",
    "F25": "one row spoils a request of many: it is found, the others leave once",
    "F26": "taken and dropped later: accepted, and shown",
    "F27": "the key is refused: everything stops at once and heals, no try is used up",
    "F28": "too large a mail: rejected, not tried again",
    "F29": "no name, no way, a redirect: nothing is lost, and the key goes nowhere else",
    "F30": "a machine's clock is an hour or a day off: nothing leaves early or late, links keep to the database's time",
    "F31": "a time that does not exist, or comes twice: once, at the first instant",
    "F32": "no beat for a while: what was due leaves when it is back",
    "F33": "five beats: each letter leaves once",
    "F34": "two builders of one wave, or one that is killed: each delivery is made once",
    "F35": "reports doubled, shuffled and late: the same end",
    "F36": "forged and malformed reports: refused, or without effect",
    "F37": "the door for reports is closed for hours: none is lost, and silence proves nothing",
    "F38": "a report before our own answer is written down: it is kept, and counts",
    "F39": "a poisoned version: its letters end, the wave pauses, others go on",
    "F40": "a no at the same moment as claim and hand-over: no attempt after its commit",
    "F41": "a wave is cancelled in the middle: nothing new leaves, the sums are right",
    "F42": "a mail server hangs up after the final dot: in doubt, one copy",
    "F43": "the pages die around the commit: no thanks without a row",
    "F44": "a form is sent twice: one signature, one mail",
    "F45": "a backup of an hour ago is restored: the noes of that hour count, nothing leaves until a person says so",
}

#: What a row's tests do not say by themselves.
NOTES = {
    "F16": "with a synchronous standby no commit is lost; what is shown is the other case",
    "F29": "redirects and slow lines are tried on the transport by itself, against real listeners",
    "F30": "on PostgreSQL; with SQLite there is one machine, and its clock is the database's",
    "F31": "shown on the rules, over five years of three zones",
}

_NUMBERS = re.compile(r"test_(?:[a-f]\d+_)*fault_((?:f\d+_)+)")


def faults_in(name: str) -> list[str]:
    """The faults that a test tries, by its name."""
    return numbers_of(name, _NUMBERS, FAULTS)
