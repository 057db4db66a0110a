"""Parcels: claimed deliveries with everything needed to write them, loaded for a whole batch in a few queries.

A parcel writes its own mail. What it writes must be, word for word, what its signer confirmed: a letter whose hash
differs from the one kept at confirmation is not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import MailClass
from outreach.domain.letters import CampaignFields, SignerFields, TargetFields, first_name
from outreach.domain.messages import Mailbox, Message, letter_hash
from outreach.errors import BadInput, BadTemplate
from outreach.keys import Keys
from outreach.languages import SOURCE, Language, language
from outreach.mailings import signer_fields
from outreach.merge import (
    AnswerFields,
    Envelope,
    LetterForm,
    MailingForm,
    NoticeFields,
    Stop,
    compose_forward,
    compose_letter,
    compose_mailing,
    compose_notice,
    compose_step,
)
from outreach.models import (
    Delivery,
    LetterVersion,
    Mailing,
    Rung,
)
from outreach.outbox import TEXT_CHANGED
from outreach.replies import forwards_of
from outreach.settings import Settings
from outreach.signing import confirm_url, receipt_url
from outreach.stopping import stop_of

from .campaign_words import CampaignWords, campaign_words
from .rows import LETTERS, MAILINGS, NOTICES, addressee, direct_addresses, rungs_of, target_labels


class CannotWrite(Exception):
    """This delivery cannot be made into a mail; the reason is for staff."""


class NoLongerConfirmed(CannotWrite):
    """What would be written is not what the signer confirmed (the target changed, say): it is held for staff."""


class NoLongerWanted(CannotWrite):
    """Its reader is no signer of the campaign any more: it is called off."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One claimed delivery. `write(now)` makes its mail, or raises CannotWrite."""

    delivery_id: int
    maybe_sent: bool
    write: Callable[[datetime], Message]


@dataclass(frozen=True)
class Letterhead:
    """What the letters of one version to one target share, whoever signs them."""

    form: LetterForm
    target: TargetFields
    campaign: CampaignFields
    envelope: Envelope


class Desk:
    """Where parcels are made up. Kept for the life of a worker process: letter versions never change, so their
    compiled forms are kept; everything else is read anew for each batch."""

    #: Versions kept compiled at once; more live campaigns than this merely compile again.
    _KEPT = 256

    def __init__(self, settings: Settings, keys: Keys) -> None:
        self._settings = settings
        self._keys = keys
        self._forms: dict[int, LetterForm | BadTemplate] = {}
        self._mailings: dict[tuple[type, int, str], MailingForm | BadTemplate] = {}

    def make_up(self, session: Session, ids: Sequence[int]) -> list[Parcel]:
        """The parcels of these deliveries, in the order of `ids`."""
        letters = session.execute(LETTERS.where(Delivery.id.in_(ids))).all()
        notices = session.execute(NOTICES.where(Delivery.id.in_(ids))).all()
        mailings = session.execute(MAILINGS.where(Delivery.id.in_(ids))).all()
        noticed = {row.campaign_id for row in notices}
        campaigns = campaign_words(session, self._settings, ids, noticed)
        self._compile(session, {row.version_id for row in letters})
        targets = target_labels(session, noticed)
        rungs = rungs_of(session, {row.purpose for row in notices})
        answers = forwards_of(session, {row.purpose for row in notices})
        direct = direct_addresses(session, [row.id for row in letters if campaigns[row.campaign_id].answers_directly])
        made = {row.id: self._letter(row, campaigns[row.campaign_id], direct.get(row.id, "")) for row in letters}
        for row in notices:
            campaign = campaigns[row.campaign_id]
            if rung := rungs.get(row.purpose):
                made[row.id] = self._step(row, campaign, rung)
            elif answer := answers.get(row.purpose):
                made[row.id] = self._forward(row, campaign, answer)
            else:
                made[row.id] = self._notice(row, campaign, targets[row.campaign_id])
        made |= {row.id: self._mailing(row, campaigns[row.campaign_id]) for row in mailings}
        return [made[id_] for id_ in ids if id_ in made]

    def letterhead(self, session: Session, delivery_id: int) -> Letterhead:
        """What a letter's delivery shares with others of its kind; CannotWrite when its version cannot be written."""
        row = session.execute(LETTERS.where(Delivery.id == delivery_id)).one()
        campaign = campaign_words(session, self._settings, [delivery_id])[row.campaign_id]
        self._compile(session, {row.version_id})
        form = self._forms[row.version_id]
        if isinstance(form, BadTemplate):
            raise CannotWrite(f"template: {form.message}")
        target = TargetFields(row.salutation, row.target_name, row.office)
        return Letterhead(form, target, campaign.fields, campaign.envelope)

    def _letter(self, row: Any, campaign: CampaignWords, signer_address: str) -> Parcel:
        def write(now: datetime) -> Message:
            form = self._forms[row.version_id]
            if isinstance(form, BadTemplate):
                raise CannotWrite(f"template: {form.message}")
            try:
                letter = form.write(
                    SignerFields(
                        row.name,
                        first_name(row.name),
                        row.city,
                        row.postal_code,
                        row.own_words,
                        row.own_subject,
                        row.own_body,
                    ),
                    TargetFields(row.salutation, row.target_name, row.office),
                    campaign.fields,
                )
                if letter_hash(letter.subject, letter.text) != row.content_hash:
                    raise NoLongerConfirmed(TEXT_CHANGED)
                return compose_letter(
                    letter,
                    campaign.envelope,
                    ref=row.ref,
                    attempt=row.attempts + 1,
                    to=Mailbox(addressee(row.office, row.target_name), row.address),
                    signer_name=row.name,
                    signer_city=row.city,
                    signer_address=signer_address,
                    confirmed_on=(row.confirmed_at or row.created_at).date(),
                    alias=self._keys.alias(row.ref),
                    now=now,
                )
            except BadInput as error:  # a template or a name that was never checked, forced into the tables
                raise CannotWrite(f"{error.code}: {error.message}") from error

        return Parcel(row.id, row.maybe_sent, write)

    def _notice(self, row: Any, campaign: CampaignWords, targets: tuple[str, ...]) -> Parcel:
        def write(now: datetime) -> Message:
            is_confirmation = row.mail_class is MailClass.CONFIRMATION
            link = (confirm_url if is_confirmation else receipt_url)(self._settings, self._keys, row.Signature)
            fields = NoticeFields(
                signer_name=row.Signature.name,
                campaign_title=campaign.title_in(row.Signature.language),
                targets=targets,
                link=link,
                expires_on=row.expires_at.astimezone(UTC).date() if is_confirmation and row.expires_at else None,
                discreet=row.Signature.high_risk,
            )
            return compose_notice(
                row.purpose,
                fields,
                settings=self._settings,
                ref=row.ref,
                attempt=row.attempts + 1,
                to=Mailbox(row.Signature.name, row.address),
                campaign=campaign.slug,
                now=now,
                language=row.Signature.language,
            )

        return Parcel(row.id, row.maybe_sent, write)

    def _forward(self, row: Any, campaign: CampaignWords, answer: AnswerFields) -> Parcel:
        def write(now: datetime) -> Message:
            return compose_forward(
                answer,
                settings=self._settings,
                ref=row.ref,
                attempt=row.attempts + 1,
                to=Mailbox(row.Signature.name, row.address),
                campaign=campaign.slug,
                campaign_title=campaign.title_in(row.Signature.language),
                link=receipt_url(self._settings, self._keys, row.Signature),
                now=now,
                language=row.Signature.language,
                discreet=row.Signature.high_risk,
            )

        return Parcel(row.id, row.maybe_sent, write)

    def _step(self, row: Any, campaign: CampaignWords, rung: Rung) -> Parcel:
        def write(now: datetime) -> Message:
            speaker = language(row.Signature.language)
            is_translated = speaker.gettext(rung.subject) != rung.subject
            return self._compose(
                compose_step,
                rung,
                row,
                campaign,
                speaker,
                link=receipt_url(self._settings, self._keys, row.Signature),
                stop=self._stop(row, campaign) if rung.purpose else None,
                now=now,
                language=speaker.code,
                words_language=speaker.code if is_translated else campaign.language,
                discreet=row.Signature.high_risk,
            )

        return Parcel(row.id, row.maybe_sent, write)

    def _stop(self, row: Any, campaign: CampaignWords) -> Stop:
        return stop_of(
            self._settings,
            self._keys,
            supporter_ref=row.supporter_ref,
            campaign_id=row.campaign_id,
            slug=campaign.slug,
        )

    def _mailing(self, row: Any, campaign: CampaignWords) -> Parcel:
        def write(now: datetime) -> Message:
            if row.Signature is None:
                raise NoLongerWanted("withdrawn")
            return self._compose(
                compose_mailing,
                row.Mailing,
                row,
                campaign,
                language(SOURCE),
                label=f"wave{row.wave_id}",
                stop=self._stop(row, campaign),
                now=now,
                language=row.Mailing.language,
            )

        return Parcel(row.id, row.maybe_sent, write)

    def _compose(
        self,
        compose: Callable[..., Message],
        words: Mailing | Rung,
        row: Any,
        campaign: CampaignWords,
        speaker: Language,
        **particulars: Any,
    ) -> Message:
        """An organizer's words to one signer, as `compose` puts them into a mail."""
        form = self._form_of(words, speaker)
        if isinstance(form, BadTemplate):
            raise CannotWrite(f"template: {form.message}")
        try:
            return compose(
                form,
                signer_fields(row.Signature),
                campaign.fields,
                settings=self._settings,
                ref=row.ref,
                attempt=row.attempts + 1,
                to=Mailbox(row.Signature.name, row.address),
                slug=campaign.slug,
                **particulars,
            )
        except BadInput as error:
            raise CannotWrite(f"{error.code}: {error.message}") from error

    def _form_of(self, words: Mailing | Rung, speaker: Language) -> MailingForm | BadTemplate:
        """`words` compiled. The steps that every campaign begins with are ours, so we say them in the signer's
        language; what an organizer wrote is in no catalogue and stays as it is."""
        key = (type(words), words.id, speaker.code)
        if key not in self._mailings:
            if len(self._mailings) >= self._KEPT:
                self._mailings.clear()
            try:
                self._mailings[key] = MailingForm(speaker.gettext(words.subject), speaker.gettext(words.body))
            except BadTemplate as error:
                self._mailings[key] = error
        return self._mailings[key]

    def _compile(self, session: Session, version_ids: Iterable[int]) -> None:
        missing = [id_ for id_ in version_ids if id_ not in self._forms]
        if not missing:
            return
        if len(self._forms) + len(missing) > self._KEPT:
            self._forms.clear()
            missing = list(version_ids)
        for version in session.scalars(select(LetterVersion).where(LetterVersion.id.in_(missing))):
            try:
                self._forms[version.id] = LetterForm(version.subject, version.header, version.body, version.footer)
            except BadTemplate as error:
                self._forms[version.id] = error  # its letters end as dead, with this sentence; the others go on
