"""What stands before the sign form: who waits, who must prove themselves, and what is taken but set aside.

Over the first limits a form has to bring proof of work. A browser with scripts does that by itself; one without is
asked once, and then its signature is taken all the same, as suspect: kept, not counted, and where a mailbox could be
flooded by it, not mailed. Nothing of this depends on who has signed, so nothing can be learned from it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request
from sqlalchemy import select

from outreach.domain.suspects import Suspicion, first_of, is_open_to_all
from outreach.models import Campaign, Database
from outreach.settings import Settings
from outreach.signing import Arrival
from outreach.web.pages import db_of, settings_of
from outreach.web.proofs import proofs_of
from outreach.web.rates import rates_of

_BURST_SECONDS = 30.0
#: The form's fields for it: the widget's answer, and that proof has been asked for.
CARRIED = PROOF, ASKED = "altcha", "proof_asked"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`asks`: the form comes back once more, with everything in it, to bring its proof."""

    arrival: Arrival
    asks: bool = False


class Bursts:
    """How many forms a minute each campaign expects: asked of the database every half minute at most."""

    def __init__(self, settings: Settings) -> None:
        self._default = settings.campaign_signs_per_minute
        self._known: dict[str, tuple[float, int]] = {}

    def of(self, db: Database, slug: str) -> int:
        """The campaign's own number, or the one for all."""
        until, limit = self._known.get(slug, (0.0, self._default))
        if time.monotonic() < until:
            return limit
        with db.read() as session:
            found = session.execute(select(Campaign.signs_per_minute).where(Campaign.slug == slug)).first()
        if found is None:
            return self._default
        self._known[slug] = (time.monotonic() + _BURST_SECONDS, limit := found[0] or self._default)
        return limit


def asks_at_first(request: Request) -> bool:
    """Whether the form shows the widget from the beginning."""
    return settings_of(request).proof_of_work == "on"


def judge(request: Request, slug: str, values: Mapping[str, str]) -> Verdict:
    """What to do about a form that is within its network's limit. Counts it, and uses up its proof."""
    can_prove = settings_of(request).proof_of_work != "off"
    has_proof = can_prove and proofs_of(request).accept(values.get(PROOF, ""))
    # While Redis is away a proof may have been used in another process: what would mail strangers is set aside then.
    is_trusted = has_proof and not rates_of(request).is_alone
    over = _over(request, slug, values, strictly=can_prove and not is_trusted)
    must = asks_at_first(request) or bool(over)
    asks = must and can_prove and not has_proof and not values.get(ASKED)
    return Verdict(Arrival(rates_of(request).network_hash(request), "" if is_trusted else over), asks)


def _over(request: Request, slug: str, values: Mapping[str, str], *, strictly: bool) -> str:
    """The first limit that the form is over, or "". Every one of them counts it."""
    rates, settings = rates_of(request), settings_of(request)
    burst = request.app.state.bursts.of(db_of(request), slug)
    domain = values.get("email", "").strip().rpartition("@")[2].lower()[:255]
    limits = [(Suspicion.BURST, burst, slug)]
    if domain and not is_open_to_all(domain):
        limits.insert(0, (Suspicion.MAIL_DOMAIN, settings.domain_signs_per_minute, domain))
    if strictly:
        limits.insert(0, (Suspicion.NETWORK, max(1, settings.signs_per_minute // 3), ""))
    return first_of(
        [
            reason if rates.take(request, f"sign_{reason}", per_minute=n, subject=subject) else ""
            for reason, n, subject in limits
        ]
    )
