"""What strangers write is text wherever it is shown, and following links changes nothing. Numbers are the threats'."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import pytest
from httpx2 import Response
from sqlalchemy import select
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from outreach.models import Base, Database, Signature, Supporter, Suppression
from outreach.web.app import create_app
from outreach.web.public import TRAP
from tests import factories
from tests.integration.test_inner_doors import routes_of
from tests.rules.furnished import HOSTILE, Elements, Furnished, furnish
from tests.rules.post import BYTES, Post
from tests.sites import JANE

#: Where a crawl begins, beside the links of all mails.
_FIRST = ("/", "/privacy", "/embed/shelters", "/c/shelters/send", "/console", "/staff", "/dev/mail", "/nowhere")
#: Pages of one kind (their numbers and keys left out) that are looked at.
_OF_A_KIND = 3
#: A mail by itself, in the sandbox of its frame.
_FRAMED = re.compile(r"/dev/mail/[^/]+/html")
_ITSELF, _NOBODY = "'self'", "'none'"
#: Fields of others that people are shown somewhere; the test finds each of them on a page, as text.
SHOWN = {
    *("campaigns.title", "campaigns.opening", "campaigns.story", "campaigns.why", "campaigns.coalition"),
    *("campaigns.call_to_act", "demands.text", "asks.title", "asks.text", "asks.link_label", "organisations.name"),
    *("targets.name", "targets.office", "campaign_texts.title", "signatures.name", "signatures.city"),
    *("signatures.own_words", "replies.text", "replies.subject", "replies.quoted", "replies.share_text"),
    *("alerts.message", "attempts.detail", "brakes.reason", "deliveries.reason", "delivery_log.reason"),
    *("holidays.name", "invalidations.reason", "ladders.name", "mailings.subject", "provider_states.reason"),
    *("provider_events.reason", "rungs.subject", "rungs.body", "users.name", "waves.name", "waves.reason"),
}
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SCANNERS = ("", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126 Safari/537.36", "ProofpointURLDefense")


@dataclass
class Crawled:
    """Every page that is found by following links, as a browser of staff gets it."""

    pages: dict[str, Response] = field(default_factory=dict)

    @property
    def html(self) -> Iterator[tuple[str, Elements]]:
        for path, answer in self.pages.items():
            if answer.headers.get("content-type", "").startswith("text/html") and not _FRAMED.fullmatch(path):
                yield path, Elements(answer.text)


def crawl(house: Furnished, *, of_a_kind: int = _OF_A_KIND) -> Crawled:
    """Follow every link to a page of ours, a few of each kind."""
    done, waiting, kinds = Crawled(), [*_FIRST, *sorted(house.mailed)], dict[str, int]()
    while waiting:
        path = waiting.pop(0).partition("#")[0]
        kind = re.sub(r"(?<=[/=])([0-9a-zA-Z_~.-]{16,}|\d+)", "…", path)
        if not path or path in done.pages or kinds.get(kind, 0) >= of_a_kind or path.startswith("/static/"):
            continue
        kinds[kind] = kinds.get(kind, 0) + 1
        answer = done.pages[path] = house.staff.get(path)
        links = Elements(answer.text).links if "html" in answer.headers.get("content-type", "") else set()
        onward = [*sorted(links), answer.headers.get("location", "")]
        waiting += [house.path_of(link, on=path) for link in onward if link]
    return done


def rows(db: Database) -> dict[str, list[str]]:
    """Every row of every table. Visits to short links are counted and nothing else, so theirs are left out."""
    with db.read() as session:
        tables = [table for name, table in Base.metadata.tables.items() if name != "share_links"]
        return {table.name: sorted(map(repr, session.execute(select(table)))) for table in tables}


def keys_in_query(house: Furnished, link: str) -> list[str]:
    values = dict(parse_qsl(urlsplit(link).query)).values()
    return [value for value in values if any(secret in value for secret in house.secrets)]


@SQLITE
@BYTES
def test_threat_a7_a8_a9_a10_b12_what_others_write_is_text_on_every_page_and_in_every_mail(post: Post) -> None:
    with capture_logs() as lines:
        house = furnish(post)
        before = rows(post.db)
        done = crawl(house)

    assert {path for path, answer in done.pages.items() if answer.status_code >= 500} == set()
    shown: set[int] = set()
    for path, page in done.html:
        assert page.acts() == [], path
        shown |= page.shown
        assert not [link for link in page.links if keys_in_query(house, link)], path
    assert SHOWN - {house.fields[n] for n in shown if n in house.fields} == set()
    for mail in house.mails:
        page = Elements(mail.html)
        assert page.acts(is_mail=True) == [], mail.subject
        assert not [link for link in page.links if keys_in_query(house, link)], mail.subject
    assert len({mail.delivery for mail in house.mails if Elements(mail.html).shown}) > 10
    for path, answer in done.pages.items():
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert policy.startswith("sandbox") if _FRAMED.fullmatch(path) else "unsafe" not in policy, path
        assert f"frame-ancestors {_ITSELF if _FRAMED.fullmatch(path) else _NOBODY}" in policy, path
        if any(secret in path for secret in house.secrets):
            assert answer.headers["referrer-policy"] == "no-referrer", path
            assert answer.headers["cache-control"] == "no-store", path
        assert "set-cookie" not in answer.headers or "lang=" in path or path.startswith("/sign-in"), path
    assert rows(post.db) == before, "following links changes nothing"
    assert len(lines) > 100
    assert not re.search("|".join([*house.secrets, r"reader-\d", "onfocus", "onload", "@"]), str(lines))


@SQLITE
@BYTES
def test_threat_a7_whatever_is_typed_into_any_form_comes_back_as_text(post: Post) -> None:
    house = furnish(post)
    forms: dict[str, tuple[str, dict[str, str]]] = {}
    for path, page in crawl(house, of_a_kind=1).html:
        for action, fields in page.forms:
            if not action.startswith(("/sign-out", "/u/")):  # those end what the others need
                forms.setdefault(re.sub(r"\d+|[\w~.-]{16,}", "…", action or path), (action or path, fields))
    assert len(forms) > 25

    said = dict[str, int]()
    for path, fields in sorted(forms.values(), key=lambda form: ("/erase" in form[0], form[0])):
        answer = house.staff.post(path, data=fields | {TRAP: ""})
        assert answer.status_code < 500, path
        page = Elements(answer.text)
        assert page.acts() == [], path
        said[path] = len(page.shown)
    assert sum(map(bool, said.values())) > 12
    for form in ({}, {"check": "yes"}):
        typed = dict.fromkeys(("subject", "body", "own_words"), HOSTILE.format(n=905))
        for path in ("/c/shelters/sign", "/c/shelters/change"):
            page = Elements(post.site.client.post(path, data=JANE | typed | form).text)
            assert page.acts() == [], path


@BYTES
def test_threat_b2_b3_a_scanner_that_opens_every_link_of_every_mail_changes_nothing(post: Post) -> None:
    house = furnish(post)
    assert {"confirm", "letter", "u"} <= set(house.secrets.values())
    before = rows(post.db)

    for path in sorted(house.mailed):
        for agent in SCANNERS:
            for method in ("GET", "HEAD"):
                answer = post.site.client.request(method, path, headers={"user-agent": agent})
                assert answer.status_code < 400 or (path.startswith("/confirm/") and answer.status_code == 409), path

    assert rows(post.db) == before


@BYTES
def test_threat_b10_b15_a_key_opens_its_own_door_alone_and_no_form_comes_from_elsewhere(post: Post) -> None:
    house = furnish(post)
    before = rows(post.db)
    doors = _doors(post)
    assert len(doors) > 30

    answers = set()
    for method, pattern in doors:
        for secret, opens in house.secrets.items():
            own = opens == pattern.split("/")[1]
            path = _filled(pattern, secret)
            if method == "POST" and (own or "{token}" not in pattern):
                foreign = {"sec-fetch-site": "cross-site"}
                assert post.site.client.post(path, headers=foreign).status_code == 403, path
            elif not own and "{token}" in pattern:
                answer = post.site.client.request(method, path)
                answers.add((answer.status_code, answer.text))
                post.site.client.app.state.rates._memory.reset()  # type: ignore[attr-defined]
    assert {status for status, _text in answers} == {404}
    assert len(answers) == 1, "one page for all of them"
    assert rows(post.db) == before


def _doors(post: Post) -> list[tuple[str, str]]:
    """The public doors but those that machines post to on purpose."""
    found = routes_of(create_app(post.site.settings, post.db))
    public = [route for route in found if not route.path.startswith(("/staff", "/console", "/hooks/", "/dev/"))]
    doors = [(method, route.path) for route in public for method in route.methods or ()]
    return sorted(set(doors) - {("POST", "/u/{token}")})


def _filled(pattern: str, secret: str) -> str:
    values = {"token": secret, "secret": secret, "slug": "shelters", "ref": "x", "code": "x", "target_id:int": "1"}
    return re.sub(r"\{([^}]+)\}", lambda blank: values[blank[1]], pattern)


@BYTES
def test_threat_b10_no_guess_opens_anything_and_the_guesser_is_made_to_wait(post: Post) -> None:
    client: TestClient = post.site.client
    answers = [client.get(f"/{door}/{n:032d}") for n in range(40) for door in ("confirm", "letter")]
    assert {answer.status_code for answer in answers[:60]} == {404}
    assert len({answer.text for answer in answers[:60]}) == 1
    assert {answer.status_code for answer in answers[60:]} == {429}


@BYTES
def test_threat_b4_b9_a_key_acts_for_the_address_it_was_mailed_to_and_for_no_other(post: Post) -> None:
    own, other = (post.site.sign(email=f"{who}@example.org", updates="yes") for who in ("own", "other"))
    post.site.client.post(own, data={"email": "other@example.org", "signature": "2", "token": other})
    assert [state for _address, state in _states(post)] == ["confirmed", "pending"]

    post.site.confirm(other)
    post.wave()
    (stop,) = (mail for mail in post.send() if mail.to.address == "own@example.org" and mail.all("List-Unsubscribe"))
    (ways,) = stop.all("List-Unsubscribe")
    path = ways[1 : ways.index(">")].removeprefix(post.site.settings.base_url)
    post.site.client.post(path, data={"email": "other@example.org", "much": "all"})
    with post.db.read() as session:
        stopped = set(session.scalars(select(Suppression.address_hash)))
    assert stopped == {factories.hash_address("own@example.org", post.site.keys)}


def _states(post: Post) -> list[tuple[str, str]]:
    with post.db.read() as session:
        found = select(Supporter.address, Signature.state).join(Signature, Signature.supporter_id == Supporter.id)
        return [(address, str(state)) for address, state in session.execute(found.order_by(Signature.id))]


@SQLITE
@BYTES
def test_threat_b14_no_header_of_a_request_gets_into_a_page_or_a_mail(post: Post) -> None:
    names = (
        "x-forwarded-host",
        "x-forwarded-server",
        "x-host",
        "forwarded",
        "x-original-url",
        "x-rewrite-url",
        "referer",
    )
    forged = dict.fromkeys(names, "https://evil.example/staff") | {"x-forwarded-proto": "http"}
    for path in ("/", "/c/shelters", "/nowhere", "/staff"):
        answer = post.site.client.get(path, headers=forged)
        assert "evil.example" not in answer.text + str(answer.headers), path
    answer = post.site.client.post("/c/shelters/sign", data=JANE, headers=forged)
    assert answer.headers["location"] == "/c/shelters/check-your-email"
    (mail,) = post.send()
    assert set(re.findall(r"https?://[^/\s\"<]+", mail.text + mail.html)) == {"https://act.example.org"}


@SQLITE
@BYTES
def test_threat_b21_cookies_are_ours_alone_and_reading_and_confirming_need_none(post: Post) -> None:
    client = post.site.client
    answers = [client.post("/c/shelters/sign", data=JANE), client.get("/?lang=es"), client.get("/sign-in")]
    for answer in answers:
        name, _, said = answer.headers["set-cookie"].partition("=")
        assert name.startswith("__Host-")
        assert {"secure", "httponly", "path=/"} <= set(said.lower().split("; "))
        assert re.search(r"samesite=(strict|lax)", said.lower())
        assert "domain" not in said.lower()
    path = post.site.sign(email="jo@example.org")
    client.cookies.clear()
    for answer in (client.get("/c/shelters"), client.get("/embed/shelters"), client.get(path), client.post(path)):
        assert answer.status_code in (200, 303)
        assert "set-cookie" not in answer.headers
