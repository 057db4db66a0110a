from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from outreach import accounts
from tests.integration.acts import campaign, signed
from tests.integration.answers import alias, letter, take
from tests.integration.inside import organizer, staff
from tests.integration.wave_scenes import scene
from tests.sites import rung, site

__all__ = ["alias", "campaign", "letter", "organizer", "rung", "scene", "signed", "site", "staff", "take"]


@pytest.fixture(autouse=True)
def light_passwords(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weigh passwords lightly, but for the tests of what they weigh: each costs a fifth of a second otherwise."""
    if "heavy_passwords" not in request.fixturenames:
        monkeypatch.setattr(accounts, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def heavy_passwords() -> Iterator[None]:
    """As they are weighed for real."""
    accounts._nobody.cache_clear()
    yield
    accounts._nobody.cache_clear()
