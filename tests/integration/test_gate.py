"""What stands before the sign form: limits, proof of work, and what is taken but set aside. On both databases."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import altcha
import pytest
from httpx2 import Response
from limits.storage import memory
from sqlalchemy import func, select

from outreach.domain.deliveries import MailClass, State, Stream
from outreach.models import Campaign, Database, Delivery, Signature
from outreach.settings import Settings
from outreach.web import beat
from tests import factories, servers
from tests.sites import JANE, Site, site_of

Make = Callable[..., Site]


@pytest.fixture
def make(db: Database, settings: Settings, now: datetime, rung: list[Stream], monkeypatch: pytest.MonkeyPatch) -> Make:
    """A site with one campaign and these settings, that does not wait for its beat."""
    # The limits' minute never ends.
    begun = time.time() // 3600 * 3600 + 1
    monkeypatch.setattr(memory, "time", SimpleNamespace(time=lambda: begun))
    monkeypatch.setattr(beat, "BEAT", 0.0001)
    with db.begin() as session:
        factories.campaign(session, slug="shelters")
    return lambda **given: site_of(db, replace(settings, **given), now, rung)


def send(site: Site, n: int = 0, *, slug: str = "shelters", network: str = "", **form: str) -> Response:
    """The form as the nth signer sends it."""
    filled = JANE | {"email": f"signer{n}@example.org", "name": f"Signer {n} Doe"} | form
    return site.client.post(f"/c/{slug}/sign", data=filled, headers={"x-forwarded-for": network} if network else {})


def proof(site: Site) -> str:
    """What a browser makes of the sum it is given."""
    challenge = altcha.Challenge.from_dict(site.client.get("/proof").json())
    solution = altcha.solve_challenge(challenge)
    assert solution is not None
    return altcha.Payload(challenge, solution).to_base64()


def asides(site: Site) -> dict[str, int]:
    """Signatures by what they are set aside for."""
    with site.db.read() as session:
        return dict(session.execute(select(Signature.suspect, func.count()).group_by(Signature.suspect)).all())


def mails(site: Site) -> int:
    return site.count(Delivery.mail_class == MailClass.CONFIRMATION, of=Delivery)


# Mail bombing


def test_threat_b1_b17_a_stranger_is_mailed_three_times_whatever_is_tried(make: Make) -> None:
    site = make(trusted_hops=1)
    with site.db.begin() as session:
        slugs = [factories.campaign(session).slug for _ in range(50)]
    answers = set()
    for n in range(500):
        answer = send(
            site,
            slug=slugs[n % 50],
            network=f"198.51.{n % 100}.7",
            email=("victim@gmail.com", "Vic.Tim@gmail.com", "victim+x@googlemail.com")[n % 3],
            name=f"Bot {n}",
        )
        answers.add((answer.status_code, answer.headers["location"].replace(slugs[n % 50], ""), answer.content))
    assert len(answers) == 1
    assert mails(site) == 3


# Limits


def test_a_form_without_proof_is_asked_once_and_then_taken_aside_and_not_mailed(make: Make) -> None:
    site = make(signs_per_minute=9)
    for n in range(3):
        assert send(site, n).status_code == 303
    answer = send(site, 3, own_words="It rains.")
    assert answer.status_code == 428
    assert "One more step" in answer.text
    assert 'name="proof_asked"' in answer.text
    assert "It rains.</textarea>" in answer.text
    assert site.count() == 3
    again = send(site, 3, proof_asked="yes")
    first = send(site, 4, proof_asked="yes")
    assert (again.status_code, again.content) == (first.status_code, first.content) == (303, b"")
    assert (asides(site), mails(site)) == ({"": 3, "network": 2}, 3)


def test_a_form_with_proof_counts_and_its_proof_counts_once(make: Make) -> None:
    site = make(signs_per_minute=9)
    for n in range(3):
        send(site, n)
    solved = proof(site)
    assert send(site, 3, altcha=solved).status_code == 303
    assert send(site, 4, altcha=solved).status_code == 428, "used before"
    assert (asides(site), mails(site)) == ({"": 4}, 4)


@pytest.mark.parametrize(
    "payload",
    [
        "x",
        "é" * 10,
        "A" * 5000,
        b64encode(b"[]").decode(),
        b64encode(b'{"challenge": [], "solution": 1}').decode(),
        b64encode(b'{"challenge": {"parameters": "x", "signature": {}}, "solution": {"counter": "y"}}').decode(),
    ],
)
def test_what_is_no_proof_is_none_and_breaks_nothing(make: Make, payload: str) -> None:
    site = make(proof_of_work="on")
    assert send(site, altcha=payload).status_code == 428


def test_an_easier_sum_is_no_proof(make: Make) -> None:
    site = make(proof_of_work="on")
    easier = site.client.get("/proof").json()
    easier["parameters"]["cost"] = 1
    challenge = altcha.Challenge.from_dict(easier)
    solution = altcha.solve_challenge(challenge)
    assert solution is not None
    assert send(site, altcha=altcha.Payload(challenge, solution).to_base64()).status_code == 428
    assert json.loads(site.client.get("/proof").text)["parameters"]["cost"] > 1


def test_always_on_asks_everybody_and_takes_who_cannot_within_the_stricter_limit(make: Make) -> None:
    site = make(proof_of_work="on", signs_per_minute=6)
    assert "data-proof" in site.get("/c/shelters")
    assert send(site).status_code == 428
    assert [send(site, n, proof_asked="yes").status_code for n in range(3)] == [303] * 3
    assert asides(site) == {"": 1, "network": 2}


def test_off_asks_nobody_and_a_burst_is_set_aside_but_mailed(make: Make) -> None:
    site = make(proof_of_work="off")
    with site.db.begin() as session:
        session.scalars(select(Campaign)).one().signs_per_minute = 2
    assert "data-proof" not in site.get("/c/shelters")
    assert [send(site, n).status_code for n in range(4)] == [303] * 4
    assert (asides(site), mails(site)) == ({"": 2, "burst": 2}, 4)


def test_addresses_of_one_mail_domain_have_a_limit_unless_everybody_has_one_there(make: Make) -> None:
    site = make(domain_signs_per_minute=2)
    for n in range(4):
        send(site, n, email=f"a{n}@catch-all.example.net", proof_asked="yes")
        send(site, n, email=f"b{n}@gmail.com", proof_asked="yes")
    assert (asides(site), mails(site)) == ({"": 6, "mail_domain": 2}, 6)


def test_threat_b8_what_a_client_says_of_itself_is_no_other_network(make: Make) -> None:
    site = make(trusted_hops=1, signs_per_minute=3)
    statuses = [send(site, n, network=f"203.0.113.{n}, 198.51.100.9", proof_asked="yes").status_code for n in range(6)]
    assert statuses == [303] * 3 + [429] * 3
    assert send(site, 9, network="198.51.100.10").status_code == 303
    ipv6 = [send(site, n, network=f"2001:db8:1:2::{n}", proof_asked="yes").status_code for n in range(4)]
    assert ipv6 == [303] * 3 + [429], "a /64 is one network"


def test_threat_b5_over_the_limit_the_answer_tells_nothing_either(make: Make) -> None:
    site = make(signs_per_minute=100, domain_signs_per_minute=3)
    site.confirm(site.sign(email="confirmed@example.org"))
    site.sign(email="pending@example.org")
    with site.db.begin() as session:
        factories.suppression(session, "suppressed@example.org")
    site.sign(email="filler@example.org")
    for more in ({}, {"proof_asked": "yes"}):
        answers = set()
        for who in ("confirmed", "pending", "suppressed", "new"):
            answer = site.client.post("/c/shelters/sign", data=JANE | more | {"email": f"{who}@example.org"})
            headers = {k: v for k, v in answer.headers.items() if k not in ("set-cookie", "content-length")}
            body = answer.text.replace(f"{who}@example.org", "")
            answers.add((answer.status_code, body, tuple(sorted(headers.items()))))
        assert len(answers) == 1


def test_fault_f11_without_redis_the_form_is_open_and_who_floods_it_is_not_mailed_even_with_proof(make: Make) -> None:
    site = make(signs_per_minute=6, redis_url=f"redis://127.0.0.1:{servers.free_port()}/0")
    solved = [proof(site) for _ in range(4)]
    assert [send(site, n, altcha=solved[n]).status_code for n in range(4)] == [303] * 4
    assert (asides(site), mails(site)) == ({"": 2, "network": 2}, 2)


def test_where_a_form_came_from_is_kept_as_a_hash_and_not_at_high_risk(make: Make) -> None:
    site = make()
    send(site, 0)
    send(site, 1)
    send(site, 2, high_risk="yes")
    with site.db.read() as session:
        ours, same, none = session.scalars(select(Signature.network).order_by(Signature.id))
    assert len(ours) == 16
    assert (same, none) == (ours, "")


def test_only_a_signature_that_counts_is_sent(make: Make) -> None:
    site = make(proof_of_work="off", campaign_signs_per_minute=1)
    site.confirm(site.sign())
    site.confirm(site.sign(email="late@example.org"))
    letters = {
        state: site.count(Delivery.mail_class == MailClass.LETTER, Delivery.state == state, of=Delivery)
        for state in State
    }
    assert (letters[State.QUEUED], letters[State.HELD]) == (1, 1)
