"""Whether a mail was written by a person: what its headers say, and else how machines of offices put it.

Headers decide where they say anything. Words alone decide only when two signs agree in a short mail, because a
person's answer taken for a machine's would not reach the signer, while a machine's taken for a person's is one mail
too many.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .office_phrases import AWAY, MACHINE, RECEIVED, RETURNED, SUBJECTS, any_of
from .replies import ReplyKind

#: Stands on every mail of ours about an answer, so that two engines do not write to each other for ever.
LOOP_HEADER = "X-OE-Loop"

#: Machines are brief. An office whose answer says what it thinks, and then that nobody reads the mailbox, is longer.
_LONGEST_MACHINE = 1_200

_BULK = frozenset({"auto_reply", "auto-reply", "bulk", "junk", "list"})
#: Headers whose mere presence says that a program or a list sent it.
_TELLING = (
    *("x-autoreply", "x-autorespond", "x-auto-reply", "x-mail-autoreply"),
    *("list-id", "list-unsubscribe", "list-post", "list-help"),
    LOOP_HEADER.lower(),
)
_UNANSWERED = re.compile(r"(?:mailer-daemon|postmaster|no-?reply|do-?not-?reply|auto-?(?:reply|responder))\b", re.I)
_DAEMON = re.compile(r"(?:mailer-daemon|postmaster)\b", re.IGNORECASE)
_ANSWER_MARK = re.compile(r"\s*(?:(?:re|aw|rv|sv|res|rif)\s*:\s*)*", re.IGNORECASE)

_SUBJECT, _RECEIVED, _AWAY = any_of(SUBJECTS), any_of(RECEIVED), any_of(AWAY)
_MACHINE, _RETURNED = any_of(MACHINE), any_of(RETURNED)


@dataclass(frozen=True, slots=True)
class Signs:
    """What a mail says of itself beside its words.

    Headers by lower-case name, the types of all its parts, and its sender's address.
    """

    headers: Mapping[str, str]
    types: frozenset[str] = frozenset()
    sender: str = ""


def kind_of(signs: Signs, subject: str, text: str) -> ReplyKind:
    """What kind of answer this is. `text` is what its writer wrote, without the quoted original."""
    if "message/feedback-report" in signs.types:
        return ReplyKind.COMPLAINT
    if _is_bounce(signs, subject):
        return ReplyKind.BOUNCE
    if is_automatic(signs):
        says_received = _RECEIVED.search(text) or _RECEIVED.search(subject)
        is_away = _AWAY.search(text) or _AWAY.search(subject)
        return ReplyKind.ACKNOWLEDGEMENT if says_received and not is_away else ReplyKind.AUTO_REPLY
    return _by_words(signs, subject, text)


def is_automatic(signs: Signs) -> bool:
    """Whether headers say that no person sent it. Such a mail never makes us send one."""
    automatic = signs.headers.get("auto-submitted", "no").partition(";")[0].strip().lower()
    suppress = signs.headers.get("x-auto-response-suppress", "none").strip().lower()
    return (
        automatic != "no"
        or suppress != "none"
        or signs.headers.get("precedence", "").strip().lower() in _BULK
        or any(name in signs.headers for name in _TELLING)
        or _comes_from_nobody(signs)
    )


def _comes_from_nobody(signs: Signs) -> bool:
    """A null return path: whoever sent it wants no mail about it."""
    path = signs.headers.get("return-path", "<somebody>")
    return path.replace(" ", "") in ("<>", "") or bool(_DAEMON.match(signs.sender))


def _is_bounce(signs: Signs, subject: str) -> bool:
    if "message/delivery-status" in signs.types:
        return True
    return _comes_from_nobody(signs) and bool(_RETURNED.search(subject))


def _by_words(signs: Signs, subject: str, text: str) -> ReplyKind:
    if len(text) > _LONGEST_MACHINE:
        return ReplyKind.HUMAN
    bare = subject[_ANSWER_MARK.match(subject).end() :]  # type: ignore[union-attr]  # it matches every subject
    hints = [_SUBJECT.match(bare), _MACHINE.search(text), _UNANSWERED.match(signs.sender)]
    agreeing = sum(hint is not None for hint in hints)
    if agreeing and _AWAY.search(text):
        return ReplyKind.AUTO_REPLY
    if agreeing and _RECEIVED.search(text):
        return ReplyKind.ACKNOWLEDGEMENT
    return ReplyKind.AUTO_REPLY if agreeing > 1 else ReplyKind.HUMAN
