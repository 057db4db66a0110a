"""A bundle as a mail: all letters of a campaign that wait for one office, in one mail with a table of them.

The mail says what a person wants to read: how many wrote and whence, the letter that many of them sent with their
names by place, and in full what others wrote in their own words. The table beside it holds each letter word for word,
under the id that the books know it by; whoever checks the books reads it back from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape

from outreach.domain.deliveries import MailClass, Stream
from outreach.domain.letters import date_in_words
from outreach.domain.messages import SIGNATURE_MARK, Attachment, Mailbox, Message
from outreach.domain.words import short_line, wrapped_lines

from .enclosed import TABLE, Enclosed, table_of
from .envelopes import Envelope
from .letters import Letter, as_html

_RULE = "=" * 72
_LINE = "-" * 72
#: Places that the opening names one by one; the table has them all.
_PLACES_NAMED = 8


@dataclass(frozen=True, slots=True)
class Part:
    """Which mail of a day it is, where letters are too many for one; `goes_on` when another follows."""

    number: int = 1
    goes_on: bool = False


_ONLY = Part()


def compose_bundle(
    letters: Sequence[Enclosed],
    envelope: Envelope,
    *,
    ref: str,
    to: Mailbox,
    reply_to: Mailbox,
    salutation: str,
    campaign: str,
    now: datetime,
    part: Part = _ONLY,
) -> Message:
    """All these letters as one mail from the organisation. `ref` is the bundle's own id, `campaign` its title."""
    title = f"{_count(len(letters), 'letter', more=part.number > 1)}: {campaign}"
    page = _opening(letters, envelope, salutation, campaign, part)
    _add_shared(page, letters)
    _add_own(page, [one for one in letters if one.common is None])
    closing = wrapped_lines(f"Sent by {envelope.organisation} for the people named above.\n{envelope.closing}")
    before, between, after, end = envelope.frame
    html = f"{before}{escape(title, quote=False)}{between}{page.html}{after}{as_html(closing)}{end}"
    return Message(
        delivery=ref,
        attempt=1,
        mail_class=MailClass.LETTER,
        stream=Stream.LETTERS,
        sender=Mailbox(envelope.organisation, envelope.from_address),
        to=to,
        reply_to=reply_to,
        subject=short_line(title),
        text="\n".join([page.text, SIGNATURE_MARK + closing[0], *closing[1:], ""]),
        html=html,
        message_id=f"<b.{ref}.1@{envelope.domain}>",
        date=now,
        headers=envelope.headers,
        attachments=(Attachment(TABLE, "text/csv", table_of(letters)),),
    )


@dataclass
class _Page:
    """The mail's body as it grows, as plain text and as a page that say the same."""

    _text: list[str] = field(default_factory=list)
    _html: list[str] = field(default_factory=list)

    def heading(self, words: str) -> None:
        self._text += ["", _RULE, *wrapped_lines(words), _RULE]
        self._html.append(f'<h2 style="margin:40px 0 8px;font-size:20px">{escape(words, quote=False)}</h2>')

    def smaller(self, words: str) -> None:
        self._text += ["", *wrapped_lines(words), _LINE]
        self._html.append(f'<h3 style="margin:28px 0 4px;font-size:17px">{escape(words, quote=False)}</h3>')

    def words(self, *lines: str) -> None:
        """One paragraph, its lines kept."""
        self._text += ["", *wrapped_lines("\n".join(lines))]
        self._html.append(as_html(lines))

    def letter(self, letter: Letter) -> None:
        """A letter as it stands: what its signer typed is text, whatever it looks like."""
        self._text += ["", f"Subject: {letter.subject}", "", letter.text]
        quoted = f"<p><b>Subject: {escape(letter.subject, quote=False)}</b></p>\n{letter.html}"
        self._html.append(
            f'<blockquote style="margin:8px 0;padding:0 0 0 16px;border-left:3px solid #767676">{quoted}</blockquote>'
        )

    @property
    def text(self) -> str:
        return "\n".join(self._text[1:])  # without the blank line before the first

    @property
    def html(self) -> str:
        return "\n".join(self._html)


def _opening(letters: Sequence[Enclosed], envelope: Envelope, salutation: str, campaign: str, part: Part) -> _Page:
    page, total = _Page(), len(letters)
    own = sum(one.common is None for one in letters)
    page.words(f"{salutation.rstrip(' ,')},")
    sent = "sent you a letter" if part.number == 1 else "more sent you a letter"
    page.words(f"{_count(total, 'person')} {sent} about “{campaign}” through {envelope.organisation}.")
    if own and own < total:
        page.words(
            f"{_count(total - own, 'person')} sent the campaign's letter as it is: it stands below, with their names.",
            f"{_count(own, 'person')} wrote in their own words: those letters follow in full.",
        )
    if places := Counter(one.place for one in letters if one.place):
        page.words(_whence(places, unknown=total - places.total()))
    days = sorted({one.confirmed_on for one in letters})
    when = f"on {date_in_words(days[0])}"
    if len(days) > 1:
        when = f"between {date_in_words(days[0])} and {date_in_words(days[-1])}"
    page.words(
        f"Each confirmed their letter and their mail address {when}. The attached table, {TABLE}, opens in any "
        "spreadsheet program: it has every letter word for word, and for each an address at which your answer "
        "reaches its sender."
    )
    if part.number > 1:
        page.words(f"Today's letters were too many for one mail. This is mail {part.number}.")
    if part.goes_on:
        page.words("These letters are too many for one mail. The others follow in a mail of their own.")
    return page


def _add_shared(page: _Page, letters: Sequence[Enclosed]) -> None:
    """Each letter that people share, once, and who sent it by place."""
    shared: dict[Letter, list[Enclosed]] = {}
    for one in letters:
        if one.common is not None:
            shared.setdefault(one.common, []).append(one)
    for letter, senders in sorted(shared.items(), key=lambda each: -len(each[1])):
        n = len(senders)
        page.heading("One person sent this letter" if n == 1 else f"{n:,} people sent this letter")
        page.letter(letter)
        by_place: dict[str, list[str]] = {}
        for one in senders:
            by_place.setdefault(one.place, []).append(one.name)
        for place, names in sorted(by_place.items(), key=lambda each: (not each[0], -len(each[1]), each[0])):
            page.smaller(f"Sent from {place} by {_count(len(names), 'person')}" if place else _elsewhere(len(names)))
            page.words(*sorted(names, key=str.casefold))


def _add_own(page: _Page, letters: Sequence[Enclosed]) -> None:
    """Each letter in somebody's own words, in full."""
    if not letters:
        return
    page.heading(f"{_count(len(letters), 'person')} wrote in their own words")
    for number, one in enumerate(letters, 1):
        who = f"{one.name}, {one.place}" if one.place else one.name
        page.smaller(f"{number:,} of {len(letters):,}: {who}" if len(letters) > 1 else who)
        page.letter(one.letter)


def _elsewhere(n: int) -> str:
    return f"Sent by {_count(n, 'person')} who gave no place"


_PLURALS = {"person": "people", "letter": "letters", "place": "places"}


def _count(n: int, noun: str, *, more: bool = False) -> str:
    """A number and what is counted: "1 letter", "3,000 people", "20 more letters"."""
    return f"{n:,} {'more ' if more else ''}{noun if n == 1 else _PLURALS[noun]}"


def _whence(places: Counter[str], *, unknown: int) -> str:
    """Where most letters come from, each place with how many, and how many there are of the others."""
    most = sorted(places.items(), key=lambda each: (-each[1], each[0]))
    named = [f"{place} ({n:,})" for place, n in most[:_PLACES_NAMED]]
    if others := len(most) - len(named):
        named.append(_count(others, "place", more=True))
    *before, last = named
    silent = f"; {unknown:,} gave no place" if unknown else ""
    return f"They come from {', '.join(before)}{' and ' if before else ''}{last}{silent}."
