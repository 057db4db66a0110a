"""Very many confirmed signers of one campaign, made inside the database: a million of them in some statements."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, text
from sqlalchemy.orm import Session

from outreach import waves
from outreach.domain.waves import WaveKind
from outreach.models import Campaign, Database
from outreach.models.base import UTCDateTime
from outreach.settings import Settings
from tests import factories

#: Rows of one statement: none may run into the minute that the engine gives a statement.
_CHUNK = 100_000
#: Of every so many, one said stop, one took the consent back, and one never gave it.
_STOPPED, _TOOK_BACK, _NEVER = 50, 20, 25

_RANDOM = {
    "sqlite": ("lower(hex(randomblob(8)))", "lower(hex(randomblob(32)))"),
    "postgresql": ("left(md5(random()::text || i), 16)", "md5(i::text) || md5(random()::text)"),
}
#: Hexadecimal digits that our ids do not use become letters.
_REF = "replace(replace(replace(replace({}, '0', 'g'), '1', 'h'), '8', 'i'), '9', 'j')"
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT CAST(:first AS integer) UNION ALL SELECT i + 1 FROM n WHERE i < :last)"
_PART = "FROM supporters WHERE id BETWEEN :first AND :last"

BODY = """\
Dear {{ signer.first_name }},

the council votes on Thursday, and your signature lies on its table with all the others. We counted them this morning,
and we asked each member how they will vote. Most have not decided. Come to the town hall at six if you can, and bring
somebody who has not signed yet.

{{ campaign.title }}: what you asked for is on the agenda, under item nine."""


def gather(db: Database, *, people: int, willing: bool = False, now: datetime) -> tuple[str, int]:
    """A campaign that `people` signed: its slug, and how many of them a mailing may reach; all if they are `willing`.

    The database must be empty: people are numbered from 1 on.
    """
    with db.begin() as session:
        campaign = factories.campaign(session, hold_for_waves=True, now=now)
    for first in range(1, people + 1, _CHUNK):
        with db.begin() as session:
            _add(session, campaign, first, min(first + _CHUNK - 1, people), willing, now)
    reached = people if willing else sum(1 for n in range(1, people + 1) if _is_reached(n))
    return campaign.slug, reached


def _is_reached(number: int) -> bool:
    return bool(number % _STOPPED and number % _TOOK_BACK and number % _NEVER)


def _add(session: Session, campaign: Campaign, first: int, last: int, willing: bool, now: datetime) -> None:
    ref, hash_ = _RANDOM[session.get_bind().dialect.name]
    ref = _REF.format(ref)
    agreeing = "" if willing else f"AND id % {_NEVER} <> 0"
    statements = [
        f"INSERT INTO supporters (ref, address, address_key, address_hash, created_at) {_NUMBERS}"
        f" SELECT {ref}, 'signer' || i || '@example.org', 'signer' || i || '@example.org', {hash_}, :now FROM n",
        "INSERT INTO signatures (ref, campaign_id, supporter_id, state, name, city, postal_code, own_words, language,"
        " text_hash, source, evidence, created_at, confirmed_at)"
        f" SELECT {ref.replace('|| i', '|| id')}, :campaign, id, 'confirmed', 'Ada Number ' || id, 'Springfield',"
        f" '12345', 'These words are of ' || id || ' and of nobody else.', 'en', '', 'web', 'link', :now, :now {_PART}",
        _consent("'deliver_letter', true", ""),
        _consent("'updates', true", agreeing),
    ]
    if not willing:
        statements += [
            _consent("'updates', false", f"AND id % {_TOOK_BACK} = 0"),
            "INSERT INTO suppressions (address_hash, scope, reason, note, at)"
            f" SELECT address_hash, 'news', 'unsubscribed', '', :now {_PART} AND id % {_STOPPED} = 0",
        ]
    values = {"first": first, "last": last, "campaign": campaign.id, "now": now}
    for statement in statements:
        named = {name: value for name, value in values.items() if f":{name}" in statement}
        session.execute(text(statement).bindparams(bindparam("now", type_=UTCDateTime())), named)


def _consent(said: str, those: str) -> str:
    return (
        "INSERT INTO consents (supporter_id, campaign_id, purpose, given, wording, language, source, at)"
        f" SELECT id, :campaign, {said}, 'Write to me.', 'en', 'web', :now {_PART} {those}"
    )


def start_mailing(db: Database, slug: str, *, settings: Settings, now: datetime) -> int:
    """A mailing to all of a campaign's signers, looked at and started; it begins at the next tick. Its number."""
    draft = waves.Draft(
        slug, WaveKind.MAILING, undo_seconds=0, canary=0, subject="News of {{ campaign.title }}", body=BODY
    )
    with db.begin() as session:
        wave = waves.plan(session, draft, settings=settings, now=now, actor="bench")
        wave.previewed_at = now
        waves.start(session, wave.id, settings=settings, now=now, actor="bench")
        return wave.id
