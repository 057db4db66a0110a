"""What is shown of a wave: its numbers before and while it runs, and its first mail."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from outreach import stopping, waves
from outreach.domain.deliveries import State
from outreach.domain.waves import WaveKind
from outreach.errors import NotFound
from outreach.waves.tallying import tally
from tests import factories
from tests.integration.wave_scenes import Scene, agreeing, confirmed, holding_campaign

MINUTE = timedelta(minutes=1)


def test_a_letter_wave_shows_its_first_letter_word_for_word(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session, body="I ask you.\n\n{{ signer.own_words }}")
        confirmed(session, campaign, own_words="My roof leaks.")
    wave_id = scene.plan(campaign)
    with scene.db.begin() as session:
        seen = waves.preview(session, wave_id, settings=scene.settings, keys=factories.KEYS, now=scene.now)
    assert "I ask you." in seen.text
    assert "My roof leaks." in seen.text


def test_a_wave_is_shown_with_its_numbers(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        confirmed(session, campaign, 3)
    wave_id = scene.started(campaign)
    scene.send(1)
    with scene.db.read() as session:
        wave = waves.find(session, wave_id)
        shown = waves.progress(session, wave, now=scene.now).as_dict()
        assert tally(session, wave).left == 1
    assert (shown["state"], shown["total"]) == ("sending", 3)
    assert (shown["states"]["accepted"], shown["states"]["queued"]) == (1, 2)
    assert set(shown["states"]) == {str(state) for state in State}
    assert {"start", "finish_low", "finish_high"} <= set(shown["forecast"])


def test_a_wave_that_has_not_begun_is_shown_with_what_it_would_be(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        confirmed(session, campaign, 3)
    wave_id = scene.plan(campaign)
    with scene.db.read() as session:
        wave = waves.find(session, wave_id)
        counts = waves.audience_counts(session, wave, settings=scene.settings, now=scene.now)
        shown = waves.progress(session, wave, counts=counts, now=scene.now)
    assert (shown.total, shown.states["held"], sum(shown.states.values())) == (3, 3, 3)


def test_the_link_in_a_preview_stops_nobodys_mails(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        agreeing(session, campaign)
    wave_id = scene.plan(campaign, WaveKind.MAILING)
    with scene.db.begin() as session:
        seen = waves.preview(session, wave_id, settings=scene.settings, keys=factories.KEYS, now=scene.now)
        token = re.search(r"/u/([a-z2-7]{40})", seen.text)
        assert token
        with pytest.raises(NotFound):
            stopping.reader_of(session, token[1], keys=factories.KEYS)
