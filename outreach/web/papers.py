"""A letter as paper: shown before it has a signer, with a place for everything that will be theirs.

What the form holds for such a place is filled in by the browser while it is typed (`paper.js`); the places themselves
are named in the page's language, by the sentences below.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import sha256

import structlog

from outreach.domain.letters import SignerFields
from outreach.domain.sentences import Sentence, _
from outreach.errors import BadTemplate
from outreach.languages import Language
from outreach.signing import CampaignLetters
from outreach.web.pages import reflow

log = structlog.get_logger()

#: Where the signer's own things will stand, and the form field that fills the place while they type.
SLOTS: dict[str, tuple[Sentence, str]] = {
    str(sentence): (sentence, field)
    for sentence, field in (
        (_("[Your Name]"), "name"),
        (_("[Your first name]"), ""),
        (_("[Your city]"), "city"),
        (_("[Your postal code]"), "postal_code"),
        (_("[Your own words]"), "own_words"),
    )
}
_NOBODY = SignerFields(*SLOTS)
_SLOT = re.compile("(" + "|".join(map(re.escape, SLOTS)) + ")")
#: Stands where the open part goes; nobody can type it into a letter.
_OPEN = "\N{OBJECT REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a letter. `mirrors` names the form field it stands for; None for the campaign's own words."""

    text: str
    mirrors: str | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """A letter as it is shown before it has a signer.

    `body` is the part that signers may rewrite, and `after` what follows it; where there is none, all of the letter
    is `before`.
    """

    to: str
    subject: str
    before: tuple[Part, ...]
    body: tuple[Part, ...] = ()
    after: tuple[Part, ...] = ()

    @property
    def subject_mark(self) -> str:
        """What tells a subject that came back as it was shown from one that was rewritten."""
        return _mark_of(self.subject)

    @property
    def body_mark(self) -> str:
        """The same for the body."""
        return _mark_of("".join(str(part.text) for part in self.body))


def paper_of(letters: CampaignLetters, *, may_rewrite: bool) -> Paper | None:
    """The letter to the first target; None when there is none, or it cannot be written."""
    if not letters.addressed:
        return None
    first = letters.addressed[0]
    try:
        body = letters.open_part(replace(_NOBODY, own_words="")) if may_rewrite else ""
        nobody = replace(_NOBODY, body=_OPEN) if body else _NOBODY
        letter = first.form.write(nobody, first.fields, letters.fields)
    except BadTemplate:
        log.warning("letter_not_shown", version=first.version_id)
        return None
    before, _sign, after = reflow(letter.text).partition(_OPEN)
    return Paper(first.label, letter.subject, parts(before.rstrip("\n")), parts(body), parts(after.lstrip("\n")))


def parts(text: str) -> tuple[Part, ...]:
    """A letter's text, parted where something of the signer's will stand."""
    return tuple(_part(piece) for piece in _SLOT.split(text) if piece)


def _part(piece: str) -> Part:
    return Part(*SLOTS[piece]) if piece in SLOTS else Part(piece)


def own(typed: str, shown: str, values: dict[str, str], speaker: Language) -> str:
    """What a signer put in the place of a text whose mark was `shown`: "" for the same again.

    Places that were left standing in it are filled with what the form holds for them.
    """
    for english, (sentence, _field) in SLOTS.items():
        typed = typed.replace(speaker.say(sentence), english)
    if _mark_of(typed) == shown:
        return ""
    return _SLOT.sub(lambda found: values.get(SLOTS[found[0]][1], ""), typed)


def _mark_of(text: str) -> str:
    return sha256(" ".join(text.split()).encode()).hexdigest()[:16]
