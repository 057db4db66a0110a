"""What no browser of ours would post: odd charsets, files, floods of fields, races. Numbers are the threats'."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from outreach import signing
from outreach.domain.deliveries import MailClass
from outreach.models import Delivery, Signature, Supporter
from outreach.web import beat, public
from tests.sites import JANE, Site, site_of

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
FIELDS = (*public.KEPT, "check", "restore", "altcha", "proof_asked", public.TRAP)


@pytest.fixture
def open_site(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The site without limits, that does not wait for its beat."""
    monkeypatch.setattr(beat, "BEAT", 0.0001)
    free = replace(site.settings, signs_per_minute=1_000_000, proof_of_work="off", domain_signs_per_minute=1_000_000)
    return site_of(site.db, free, site.now, site.rung)


def multipart(*fields: tuple[str, str, bytes], charset: str = "") -> tuple[bytes, dict[str, str]]:
    """A form in parts, and the headers to post it with; a field with a file name is a file."""
    parts = []
    for name, filename, value in fields:
        file = f'; filename="{filename}"' if filename else ""
        parts.append(f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n")
    kind = "multipart/form-data; boundary=b" + (f"; charset={charset}" if charset else "")
    return b"".join(parts) + b"--b--\r\n", {"content-type": kind}


# Files


@pytest.mark.parametrize("field", ["own_words", "name", "file"])
def test_a_file_is_refused_in_plain_words_and_no_text_is_lost(site: Site, field: str) -> None:
    typed = [(name, "", value.encode()) for name, value in JANE.items() if name != field]
    body, headers = multipart(*typed, (field, "virus.exe", b"MZ" * 1000))
    answer = site.client.post("/c/shelters/sign", content=body, headers=headers)
    assert answer.status_code == 422
    assert "Files cannot be sent with a letter." in answer.text
    assert all(value in answer.text for name, value in JANE.items() if name != field)
    assert "MZMZ" not in answer.text
    assert site.count() == 0


def test_a_file_with_the_one_click_is_let_go_and_the_click_counts(site: Site) -> None:
    body, headers = multipart(("List-Unsubscribe", "", b"One-Click"), ("x", "x.pdf", b"%PDF"))
    assert site.client.post("/u/nobody", content=body, headers=headers).status_code == 404


# Charsets


@pytest.mark.parametrize(
    "charset", ["utf-7", "unicode_escape", "raw_unicode_escape", "undefined", "idna", "rot13", "x"]
)
def test_threat_b19_a_charset_that_makes_halves_of_characters_breaks_nothing(open_site: Site, charset: str) -> None:
    halves = rb"Jo \ud800 +2AA- \xed\xa0\x80"
    typed = [(name, "", value.encode()) for name, value in JANE.items()]
    body, headers = multipart(*typed, ("own_words", "", halves), ("na\\ud800me", "", halves), charset=charset)
    for path in ("/c/shelters/sign", "/c/shelters/change", "/sign-in", "/u/nobody"):
        assert open_site.client.post(path, content=body, headers=headers).status_code < 500, path


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"name": {"$ne": 1}}'),
        ("text/plain", b"name=Jane"),
        ("multipart/form-data", b"--b"),
        ("multipart/form-data; boundary=b", b"garbage"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nno name\r\n--b--\r\n"),
        ("application/x-www-form-urlencoded", b"name=%ED%A0%80%00&&=&email=%ff%fe&name"),
        ("application/x-www-form-urlencoded", b"a[b][c]=1&" * 51),
        ("", b"\x00\xff"),
    ],
)
def test_threat_b19_b20_what_is_no_form_of_ours_is_answered_in_plain_words(
    open_site: Site, kind: str, body: bytes
) -> None:
    answer = open_site.client.post("/c/shelters/sign", content=body, headers={"content-type": kind})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"].startswith("text/html")
    assert not re.search(r"Traceback|starlette|fastapi|sqlalchemy|\.py\b", answer.text, re.IGNORECASE)


def test_a_query_that_is_none_is_answered_by_a_page_that_does_not_quote_it(site: Site) -> None:
    answer = site.client.get("/dev/mail?p=<script>alert(1)</script>")
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")
    assert "script>alert" not in answer.text


# Anything

ODD = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="\x00\x1b\u202e\u2028\ufeff\U000e0041=?@<>{}%'\"\r\n é", max_size=40),
    st.sampled_from(["x" * 10_240, "a@" * 5000, "é" * 9000, "=?utf-8?q?=0D=0ABcc:_x?=", "a@b.org>\r\nRCPT TO:<e@x"]),
)


@SQLITE
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(odd=st.dictionaries(st.sampled_from(FIELDS), ODD, min_size=1, max_size=4))
def test_threat_a11_a12_b19_the_form_has_an_answer_to_anything(open_site: Site, odd: dict[str, str]) -> None:
    for path in ("/c/shelters/sign", "/c/shelters/change"):
        answer = open_site.client.post(path, data=JANE | odd)
        assert answer.status_code in (200, 303, 422)
    with open_site.db.read() as session:
        for row in session.scalars(select(Signature)):
            assert not re.search(r"[\x00-\x1f\x7f\u2028\u2029\u202e@<>]|=\?|://", row.name + row.city)
        assert not any(re.search(r"[\s<>\x00]", address) for address in session.scalars(select(Supporter.address)))


# Races


def at_once(site: Site, forms: list[dict[str, str]], clients: int = 64) -> set[int]:
    """So many clients post all of these forms at the same time, each beginning with another; what they are answered."""
    start = Barrier(clients)

    def post(n: int) -> set[int]:
        start.wait()
        turn = forms[n % len(forms) :] + forms[: n % len(forms)]
        return {
            site.client.post("/c/shelters/sign", data=form | {"own_words": form["own_words"].format(n=n)}).status_code
            for form in turn
        }

    with ThreadPoolExecutor(clients) as pool:
        return set().union(*pool.map(post, range(clients)))


def mails(site: Site) -> list[int]:
    """How many confirmation mails each signature has."""
    asked = select(func.count()).where(Delivery.mail_class == MailClass.CONFIRMATION).group_by(Delivery.signature_id)
    with site.db.read() as session:
        return list(session.scalars(asked))


def test_threat_b6_of_64_at_once_each_address_signs_once_and_is_mailed_once(open_site: Site) -> None:
    forms = [JANE | {"email": f"signer{n}@example.org"} for n in range(3)]
    assert at_once(open_site, forms) == {303}
    assert open_site.count() == open_site.count(of=Supporter) == 3
    assert mails(open_site) == [1] * 3


def test_threat_b6_of_64_texts_at_once_one_is_kept_and_its_link_is_the_one_that_opens(open_site: Site) -> None:
    assert at_once(open_site, [JANE | {"own_words": "The words of client {n}."}]) == {303}
    assert open_site.count() == open_site.count(of=Supporter) == 1
    assert mails(open_site)[0] <= open_site.settings.confirmations_per_day
    with open_site.db.read() as session:
        signature = session.scalars(select(Signature)).one()
        path = signing.confirm_url(open_site.settings, open_site.keys, signature)
    assert re.fullmatch(r"The words of client \d+\.", signature.own_words)
    assert signature.own_words in open_site.get(path.removeprefix(open_site.settings.base_url))
