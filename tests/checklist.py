"""The field rules that are tested, each in a few words of ours, and what may be said about a row besides its tests.

A test shows a rule by carrying its number first in its name: `test_a1_a2_…` is about A1 and A2, while the rows of the
threats and faults, which are numbered alike, carry the word: `test_threat_b3_…`, `test_fault_f7_…`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

RULES = {
    "A1": "bulk mail names a page and an address to unsubscribe at, once",
    "A2": "bulk mail promises one click, once",
    "A3": "both headers stay unencoded, whatever addresses are configured",
    "A4": "each reader has their own link, which tells nothing about them",
    "A5": "list and feedback identifiers are those of the wave, and well formed",
    "A6": "letters and confirmations carry no list headers",
    "A7": "mail is from our configured addresses only, whoever signs",
    "A8": "the sender shown is the signer via the organisation, for any name",
    "A9": "no control character makes a header or a recipient; line breaks refuse the signature",
    "A10": "a name like an encoded word is not decoded",
    "A11": "a name with an address or link is refused",
    "A12": "each letter has a reply alias of its own, plain and short",
    "A13": "replies straight to the signer only with recorded consent",
    "A14": "the headers that must be there are there once; message ids are ours and unique",
    "A15": "every mail has a plain part first and a page, both with the text",
    "A16": "no line is too long for mail or for plain text",
    "A17": "international domains travel in ASCII; addresses that need more are refused",
    "A18": "automatic mail says so, letters do not",
    "A19": "mailings say where we are and how to stop; without an address they do not start",
    "A20": "the letter sent is the letter confirmed",
    "A21": "our own DKIM signature, if any, covers the headers that matter",
    "B1": "one click by POST unsubscribes, without cookie or token",
    "B2": "in any encoding, or with no body",
    "B3": "its answer neither redirects nor sets a cookie",
    "B4": "looking at the page changes nothing",
    "B5": "a second POST changes nothing",
    "B6": "unknown and damaged links look and cost the same",
    "B7": "links do not expire within 400 days",
    "B8": "a mail to the stop address unsubscribes",
    "B9": "a running wave stops for whoever unsubscribes",
    "B10": "mail about one's own letter goes on, unless all mail is refused",
    "B11": "looking at a confirmation shows all and confirms nothing",
    "B12": "a confirmation link works once, for seven days, for its words",
    "B13": "no letter leaves unconfirmed",
    "B14": "one mailbox signs once, and the page does not tell",
    "B15": "updates are never ticked beforehand, and unticked means none",
    "B16": "the ledger keeps what was agreed to; a no is a new entry",
    "B17": "confirmations and reminders to one address are capped",
    "C1": "requests stay within size; one recipient each, nobody twice",
    "C2": "values are strings and what goes along are ids",
    "C3": "recipients' names hold no separators",
    "C4": "tracking is switched off expressly",
    "C5": "a row named in a refusal is rejected, the others leave once",
    "C6": "an unnamed bad row is found by halving",
    "C7": "a rate limit is waited for and is no attempt",
    "C8": "a refused key pauses, alerts, loses nothing and heals",
    "C9": "too large a request is split",
    "C10": "no answer means doubt, no second request, and a report settles it",
    "C11": "a call ends at its timeout",
    "C12": "a worker killed before its commit sends nothing twice",
    "C13": "a task that runs twice at once sends once",
    "C14": "an office's hourly cap holds over campaigns and workers",
    "C15": "nothing leaves outside an office's hours, whatever its clock does",
    "C16": "pause, resume and cancel neither lose nor double",
    "C17": "what is stopped (letter, target, campaign, stream) is not sent",
    "C18": "a wave does not start unseen, broken or for nobody",
    "C19": "a wave pauses itself on bounces and complaints",
    "C20": "what is simulated is never counted as sent",
    "C21": "a way out without its settings fails and says so",
    "C22": "no key and no address in any log",
    "C23": "template bombs are refused in time and memory",
    "C24": "what looks like a tag arrives as typed",
    "C25": "markup in a letter is shown as text",
    "C26": "the longest letter's page stays small",
    "C27": "rendering fetches and reads nothing",
    "D1": "only signed reports are believed",
    "D2": "without a key all reports are refused",
    "D3": "a repeated report counts once",
    "D4": "any order of reports ends alike",
    "D5": "unknown reports are kept and answered",
    "D6": "a malformed report does not lose the others",
    "D7": "hard bounces: a signer is suppressed, an office set aside",
    "D8": "blocks and policy refusals suppress nobody",
    "D9": "complaints and unsubscribes reach suppression and ledger",
    "D10": "a thousand reports are acknowledged at once",
    "D11": "old and new key are both believed while they change",
    "D12": "another environment's reports are ignored",
    "D13": "providers' words are shown as text",
    "E1": "answers come in whole or taken apart, and go where the envelope says",
    "E2": "a person's answer is kept, tied to its letter, and passed on once, with neither address",
    "E3": "machines, bounces and complaints are told apart, not passed on, not answered",
    "E4": "what a machine sent makes us send nothing; two engines do not loop",
    "E5": "what is passed on is from us, plain, with few and small files",
    "E6": "the same mail posted twice is one answer",
    "E7": "unknown and expired aliases are answered alike, dropped and counted",
    "E8": "the original is split off, and the whole mail stays until retention",
    "F7": "a person's export holds every kind of row",
    "F8": "after erasure the person is nowhere, and stays unmailed",
    "F9": "retention deletes what its dry run listed",
}

#: Rows without a test, and why.
NOT_BUILT: dict[str, str] = {}

#: What a row's tests do not say by themselves.
NOTES = {
    "A15": "a bundle to an office has its table beside the two parts",
    "A18": "alerts are shown to staff and not mailed",
    "A21": "holds because the engine signs nothing: the mail server or the provider does, and is not tested here",
    "B6": "work is compared by what the database is asked, not by the clock",
    "B17": "reminders are follow-ups to those who have not confirmed",
    "D2": "there is no insecure setting",
    "D10": "counted in statements, not seconds",
}

_LEADING = re.compile(r"test_((?:[a-f]\d+_)+)")


def rules_in(name: str) -> list[str]:
    """The rules that a test shows, by its name."""
    return numbers_of(name, _LEADING, RULES)


def numbers_of(name: str, where: re.Pattern[str], rows: Iterable[str]) -> list[str]:
    """The numbers of rows that stand in a test's name, in the first group of `where`."""
    found = where.match(name)
    numbers = found[1].upper().split("_") if found else []
    return [number for number in numbers if number in rows]


def numbered_tests(
    folder: Path, rows: Iterable[str] = RULES, numbers_in: Callable[[str], list[str]] = rules_in
) -> dict[str, list[str]]:
    """By row: "tests/…/test_x.py::test_…" of every test in the folder that carries its number, sorted."""
    by_row: dict[str, list[str]] = {row: [] for row in rows}
    for path in sorted(folder.rglob("test_*.py")):
        for name in _tests_in(path):
            for row in numbers_in(name):
                by_row[row].append(f"{folder.name}/{path.relative_to(folder).as_posix()}::{name}")
    return {row: sorted(found) for row, found in by_row.items()}


def _tests_in(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name
