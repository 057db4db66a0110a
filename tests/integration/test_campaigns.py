"""Pages become campaigns: once, as a whole, and never over words that somebody signed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach import campaigns, merge
from outreach.domain import pages
from outreach.domain.letters import CampaignFields, SignerFields, TargetFields
from outreach.domain.slugs import slug_of
from outreach.errors import NotFound, NotNow
from outreach.merge import LetterForm, checking
from outreach.models import (
    Addressing,
    AuditEntry,
    Campaign,
    CampaignState,
    Database,
    Demand,
    LetterVersion,
    Organisation,
    Target,
    Wave,
    WaveState,
)
from outreach.paths import folder
from tests.integration.races import behind

PETITION = """\
To: Mayor Jane Doe, Parks Commissioner John Roe

Open the pool

The pool has been shut for three summers. It could open {{ in }} May.

1) Repair the roof before spring

2) Open on weekdays until nine

These steps were drawn up by “Swim for All,” a coalition of four clubs.

Why is this important?

Children should learn to swim. Sign this petition to tell the mayor so.
"""


def take(session: Session, text: str, now: datetime, slug: str | None = None) -> campaigns.Taken:
    page = pages.read_page(text, name="page.txt")
    source_hash = pages.fingerprint(text, name="page.txt")
    return campaigns.take_page(session, page, source_hash=source_hash, slug=slug, now=now, actor="test")


def count(session: Session, table: type) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_page_becomes_a_draft_with_its_demands_targets_sponsors_and_letter(db: Database, now: datetime) -> None:
    with db.begin() as session:
        campaign = take(session, PETITION, now).campaign

    with db.read() as session:
        campaign = campaigns.find(session, "open-the-pool")
        assert campaign.state is CampaignState.DRAFT
        assert [(demand.number, demand.text) for demand in campaign.demands] == [
            (1, "Repair the roof before spring"),
            (2, "Open on weekdays until nine"),
        ]
        assert [(one.role, one.organisation.name) for one in campaign.sponsorships] == [("lead", "Swim for All")]
        assert [(one.name, one.office, one.contacts) for one in campaigns.targets_of(session, campaign)] == [
            ("Jane Doe", "Mayor", []),
            ("John Roe", "Parks Commissioner", []),
        ]
        version = campaigns.letter_of(session, campaign)
        letter = LetterForm(version.subject, version.header, version.body, version.footer).write(
            SignerFields("Ann Poe", city="Springfield", own_words="I swim."),
            TargetFields("Dear Mayor Doe", "Jane Doe", "Mayor"),
            CampaignFields(campaign.title),
        )
        assert letter.text.startswith("Dear Mayor Doe,\n\nThe pool has been shut")
        assert "{{ in }} May" in letter.text
        assert letter.text.endswith("I swim.\n\nAnn Poe, Springfield")


def test_the_same_page_again_changes_nothing(db: Database, now: datetime) -> None:
    with db.begin() as session:
        assert take(session, PETITION, now).changed
    with db.read() as session:
        rows = [count(session, table) for table in (Campaign, Demand, Target, LetterVersion, Addressing, AuditEntry)]

    with db.begin() as session:
        assert not take(session, "\ufeff" + PETITION.replace("\n", "\r\n"), now).changed
    with db.read() as session:
        again = [count(session, table) for table in (Campaign, Demand, Target, LetterVersion, Addressing, AuditEntry)]
    assert again == rows


def test_an_edited_page_updates_its_campaign_and_replaces_words_nobody_signed(db: Database, now: datetime) -> None:
    edited = PETITION.replace("2) Open on weekdays until nine", "2) Open daily\n\n3) Teach every child")
    with db.begin() as session:
        first = take(session, PETITION, now).campaign.id
    with db.begin() as session:
        taken = take(session, edited.replace(", Parks Commissioner John Roe", ", Sports Director Ann Lee"), now)

    with db.read() as session:
        campaign = session.get_one(Campaign, first)
        assert (taken.changed, taken.campaign.id) == (True, first)
        assert [demand.text for demand in campaign.demands][1:] == ["Open daily", "Teach every child"]
        assert [one.name for one in campaigns.targets_of(session, campaign)] == ["Jane Doe", "Ann Lee"]
        version = campaigns.letter_of(session, campaign)
        assert version.number == 1
        assert "Teach every child" in version.body


def test_words_that_were_signed_stay_and_an_edit_makes_the_next_version(db: Database, now: datetime) -> None:
    with db.begin() as session:
        campaign = take(session, PETITION, now).campaign
        signed = campaigns.letter_of(session, campaign)
        signed.signed_at = now
        words = signed.body
    with db.begin() as session:
        take(session, PETITION.replace("before spring", "before May"), now)

    with db.read() as session:
        versions = session.scalars(select(LetterVersion).order_by(LetterVersion.number)).all()
        assert [version.number for version in versions] == [1, 2]
        assert versions[0].body == words
        assert set(session.scalars(select(Addressing.version_id))) == {versions[1].id}


def test_an_edit_beside_the_letter_keeps_the_signed_version(db: Database, now: datetime) -> None:
    with db.begin() as session:
        campaigns.letter_of(session, take(session, PETITION, now).campaign).signed_at = now
    with db.begin() as session:
        assert take(session, PETITION.replace("Children should", "All should"), now).changed

    with db.read() as session:
        assert count(session, LetterVersion) == 1


def test_another_campaign_of_the_same_title_gets_a_slug_of_its_own(db: Database, now: datetime) -> None:
    other = "To: Governor Ann Lee\n\nOpen the pool\n\nThe pool of the state school has no water at all.\n"
    with db.begin() as session:
        assert take(session, PETITION, now).campaign.slug == "open-the-pool"
        assert take(session, other, now).campaign.slug == "open-the-pool-2"
        assert not take(session, other, now).changed
        assert take(session, other.replace("at all", "this year"), now).campaign.slug == "open-the-pool-2"


def test_a_retitled_page_updates_the_campaign_that_is_named(db: Database, now: datetime) -> None:
    with db.begin() as session:
        first = take(session, PETITION, now).campaign.id
        taken = take(session, PETITION.replace("Open the pool", "Open it now"), now, slug="open-the-pool")
        assert taken.campaign.id == first
        assert (taken.campaign.slug, taken.campaign.title) == ("open-the-pool", "Open it now")
        with pytest.raises(NotFound):
            take(session, PETITION, now, slug="nothing")


def test_two_campaigns_share_a_target_and_an_organisation(db: Database, now: datetime) -> None:
    with db.begin() as session:
        take(session, PETITION, now)
        take(session, PETITION.replace("Open the pool", "Heat the gym").replace("swim", "run"), now)

    with db.read() as session:
        assert (count(session, Campaign), count(session, Target), count(session, Organisation)) == (2, 2, 1)


@pytest.mark.parametrize("path", sorted(folder("examples").glob("*.txt")), ids=lambda path: path.stem)
def test_every_example_becomes_a_campaign_that_can_be_published(db: Database, now: datetime, path: Path) -> None:
    with db.begin() as session:
        campaign = take(session, path.read_text(), now).campaign
        assert campaigns.publish(session, campaign.slug, now=now, actor="test").state is CampaignState.PUBLISHED


def test_publishing_opens_the_standing_wave_once(db: Database, now: datetime) -> None:
    with db.begin() as session:
        slug = take(session, PETITION, now).campaign.slug
        for _ in range(2):
            campaigns.publish(session, slug, now=now, actor="test")

    with db.read() as session:
        wave = session.scalars(select(Wave)).one()
        assert (wave.is_standing, wave.state) == (True, WaveState.SENDING)
        published = select(func.count()).where(AuditEntry.action == "campaign.publish")
        assert session.scalar(published) == 1


def test_a_page_that_was_looked_at_before_is_not_tried_out_inside_the_transaction(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge.check_letter.cache_clear()
    tried: list[tuple[str, ...]] = []
    monkeypatch.setattr(checking, "_try_out", tried.append)
    text = PETITION.replace("three summers", "four summers")

    campaigns.check_page(pages.read_page(text, name="page.txt"))
    assert len(tried) == 1
    with db.begin() as session:
        take(session, text, now)
        assert len(tried) == 1
        take(session, text.replace("four", "five"), now)
        assert len(tried) == 2, "one that nobody looked at is tried all the same"


def test_one_page_taken_twice_at_once_becomes_one_campaign(db: Database, now: datetime) -> None:
    again = behind(db, lambda session: take(session, PETITION, now), lambda session: take(session, PETITION, now))

    assert not again.changed
    with db.read() as session:
        assert (count(session, Campaign), count(session, Target), count(session, Organisation)) == (1, 2, 1)


def test_two_pages_taken_at_once_share_their_targets_and_organisations(db: Database, now: datetime) -> None:
    other = PETITION.replace("Open the pool", "Heat the gym").replace("swim", "run")

    behind(db, lambda session: take(session, PETITION, now), lambda session: take(session, other, now))

    with db.read() as session:
        assert (count(session, Campaign), count(session, Target), count(session, Organisation)) == (2, 2, 1)


def test_publishing_twice_at_once_opens_one_standing_wave(db: Database, now: datetime) -> None:
    with db.begin() as session:
        slug = take(session, PETITION, now).campaign.slug

    def publish(session: Session) -> Campaign:
        return campaigns.publish(session, slug, now=now, actor="test")

    behind(db, publish, publish)

    with db.read() as session:
        assert count(session, Wave) == 1
        assert session.scalar(select(func.count()).where(AuditEntry.action == "campaign.publish")) == 1


def test_a_campaign_that_is_closed_meanwhile_is_not_published(db: Database, now: datetime) -> None:
    with db.begin() as session:
        slug = take(session, PETITION, now).campaign.slug

    with pytest.raises(NotNow):
        behind(
            db,
            lambda session: campaigns.close(session, slug, now=now, actor="test"),
            lambda session: campaigns.publish(session, slug, now=now, actor="test"),
        )


def test_a_campaign_that_holds_for_waves_has_no_standing_wave_and_stays_so(db: Database, now: datetime) -> None:
    with db.begin() as session:
        slug = take(session, PETITION, now).campaign.slug
        campaigns.publish(session, slug, hold_for_waves=True, now=now, actor="test")
        again = campaigns.publish(session, slug, now=now, actor="test")
        assert again.hold_for_waves
        assert count(session, Wave) == 0


def test_a_campaign_without_targets_is_not_published(db: Database, now: datetime) -> None:
    with db.begin() as session:
        campaign = take(session, PETITION, now).campaign
        for row in session.scalars(select(Addressing)):
            session.delete(row)
        session.flush()
        with pytest.raises(NotNow):
            campaigns.publish(session, campaign.slug, now=now, actor="test")
        assert campaign.state is CampaignState.DRAFT


def test_a_closed_campaign_stays_closed(db: Database, now: datetime) -> None:
    with db.begin() as session:
        slug = take(session, PETITION, now).campaign.slug
        campaigns.publish(session, slug, now=now, actor="test")
        assert campaigns.close(session, slug, now=now, actor="test").closed_at == now
        campaigns.close(session, slug, now=now, actor="test")
        with pytest.raises(NotNow):
            campaigns.publish(session, slug, now=now, actor="test")
        with pytest.raises(NotNow):
            take(session, PETITION.replace("spring", "May"), now)
        assert not take(session, PETITION, now).changed


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Heat for Every Home!", "heat-for-every-home"),
        ("Trump’s “Policies” & más", "trumps-policies-mas"),
        ("Straße für alle", "strasse-fur-alle"),
        ("請開放泳池", "campaign"),
        ("a" * 80, "a" * 60),
        ("Keep " * 20, "keep-" * 11 + "keep"),
    ],
)
def test_a_slug_is_short_and_plain(title: str, slug: str) -> None:
    assert slug_of(title) == slug
    second = slug_of(title, taken={slug})
    assert second.endswith("-2")
    assert len(second) <= 60
    assert slug_of(title, taken={slug, second}).endswith("-3")
