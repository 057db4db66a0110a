"""No answer leaves without its headers, and nothing comes in that should not. Numbers are the threats'."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from outreach.web import guards
from tests.unit.web.conftest import Client

EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def app_of(client: TestClient) -> FastAPI:
    app = client.app
    assert isinstance(app, FastAPI)
    return app


def paths_of(client: TestClient) -> list[str]:
    """Every route's path, with something in its blanks that does not exist."""
    routes = [route for route in app_of(client).routes if isinstance(route, APIRoute)]
    patterns = {route.path.replace("{", "").replace("}", "") for route in routes}
    return [*sorted(patterns), "/nowhere", "/static/outreach.css"]


def test_threat_b16_every_route_answers_with_the_security_headers(client: TestClient) -> None:
    for path in paths_of(client):
        answer = client.get(path)
        assert {name: answer.headers.get(name) for name in EVERYWHERE} == EVERYWHERE, path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "frame-ancestors" in policy, path
        assert "server" not in answer.headers, path
        assert "camera=()" in answer.headers["permissions-policy"], path


def test_the_policy_allows_nothing_inline_and_nobody_else(client: TestClient) -> None:
    policy = client.get("/").headers["content-security-policy"]
    assert policy == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "object-src 'none'"
    )


def test_over_https_browsers_are_told_to_stay_there(client_of: Client) -> None:
    client = client_of(base_url="https://act.example.org")
    answer = client.get("/")
    assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert answer.headers["content-security-policy"].endswith("; upgrade-insecure-requests")


@pytest.mark.parametrize(("hsts", "said"), [("host", "max-age=31536000"), ("off", None)])
def test_how_far_browsers_are_told_so_can_be_set(client_of: Client, hsts: str, said: str | None) -> None:
    client = client_of(base_url="https://act.example.org", hsts=hsts)
    assert client.get("/").headers.get("strict-transport-security") == said


def test_over_plain_http_nothing_is_upgraded(client: TestClient) -> None:
    answer = client.get("/")
    assert "strict-transport-security" not in answer.headers
    assert "upgrade" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        *("/confirm/x", "/letter/x", "/letter/x/receipt.pdf", "/letter/x/data.json", "/u/x", "/s/x"),
        *("/staff", "/console", "/sign-in", "/dev/mail"),
    ],
)
def test_threat_b11_pages_behind_a_secret_address_tell_nobody_where_one_came_from(
    client: TestClient, path: str
) -> None:
    answer = client.get(path)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


def test_threat_b21_public_pages_may_be_kept_and_carry_no_cookie(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "set-cookie" not in answer.headers


def test_static_files_may_be_kept_for_ever_by_their_hash_only(client: TestClient) -> None:
    assert "immutable" in client.get("/static/outreach.css?v=abc").headers["cache-control"]
    assert client.get("/static/outreach.css").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "act.example.org.evil.example", "", "act.example.org@evil.example", "[::1"),
        *("evil@act.example.org", "act.example.org/evil", "act.example.org?evil", "act.example.org#evil"),
        *("act.example.org:evil", "act.example.org, evil.example", "act.example.org:80:80", "http://act.example.org"),
    ],
)
def test_threat_b14_a_host_that_is_not_ours_is_refused(client_of: Client, host: str) -> None:
    client = client_of(base_url="https://act.example.org")
    assert client.get("/", headers={"host": host}).status_code == 400


@pytest.mark.parametrize(
    "host", ["act.example.org", "ACT.example.org", "act.example.org:8443", "localhost:8000", "127.0.0.1"]
)
def test_our_host_is_ours_on_any_port_and_loopback_is_in_the_embedded_shape(client_of: Client, host: str) -> None:
    client = client_of(base_url="https://act.example.org")
    assert client.get("/", headers={"host": host}).status_code == 200


def test_threat_b14_a_second_host_or_a_forwarded_one_changes_nothing(client: TestClient) -> None:
    assert client.get("/", headers=[("host", "127.0.0.1"), ("host", "evil.example")]).status_code == 400
    answer = client.get("/nowhere", headers={"x-forwarded-host": "evil.example"})
    assert "evil.example" not in answer.text


def test_probes_are_answered_under_any_name(client: TestClient) -> None:
    assert client.get("/healthz", headers={"host": "10.0.0.7:8000"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://["},
        {"origin": ""},
        {"origin": "127.0.0.1:8000"},
        {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8000"},
    ],
)
def test_threat_b15_a_form_from_elsewhere_is_refused(client: TestClient, headers: dict[str, str]) -> None:
    for path in ("/c/x/sign", "/confirm/x", "/letter/x/withdraw", "/u/x/undo", "/sign-in", "/staff/brake"):
        assert client.post(path, headers=headers).status_code == 403, path


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin", "origin": "null"},  # what browsers post from a page with no-referrer
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8000"},
        {"sec-fetch-site": "none"},
    ],
)
def test_a_form_of_our_own_is_let_through(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/confirm/x", headers=headers).status_code == 404


@pytest.mark.parametrize(
    ("path", "largest"),
    [
        ("/confirm/x", guards.LARGEST_FORM),
        ("/u/x", guards.LARGEST_FORM),
        ("/c/x/sign", 512 * 1024),
        ("/letter/x/change/check", 512 * 1024),
    ],
)
def test_threat_b20_a_large_form_is_refused_before_it_is_read(client: TestClient, path: str, largest: int) -> None:
    assert client.post(path, content=b"a" * largest).status_code in (404, 422)
    answer = client.post(path, content=b"a" * (largest + 1))
    assert answer.status_code == 413
    assert "too much text" in answer.text


def test_threat_b20_a_large_form_without_a_length_is_refused_too(client: TestClient) -> None:
    def chunks() -> Any:
        for _ in range(80):
            yield b"a" * 1024

    assert client.post("/confirm/x", content=chunks()).status_code == 413


def test_threat_b20_ten_thousand_parts_are_refused(client: TestClient) -> None:
    body = "&".join(f"f{n}=1" for n in range(5000))
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/c/x/sign", content=body, headers=form).status_code == 400


def test_a_length_that_is_no_number_is_refused(client: TestClient) -> None:
    for length in ("-1", "abc", "9" * 40):
        assert client.post("/c/x/sign", headers={"content-length": length}, content=b"").status_code in (400, 413)


def drive(client: TestClient, *incoming: dict[str, Any]) -> list[dict[str, Any]]:
    """What the application sends when exactly these messages arrive, and then none."""
    waiting, sent = list(incoming), list[dict[str, Any]]()

    async def receive() -> Any:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    form = (b"content-type", b"application/x-www-form-urlencoded")
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/c/x/sign",
        "raw_path": b"/c/x/sign",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), form],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "scheme": "http",
        "http_version": "1.1",
    }
    app: Callable[..., Awaitable[None]] = app_of(client)
    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    return sent


def test_threat_b20_a_body_that_does_not_come_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, client: TestClient
) -> None:
    monkeypatch.setattr(guards, "READ_SECONDS", 0.01)
    assert drive(client, {"type": "http.request", "body": b"a", "more_body": True})[0]["status"] == 408


def test_half_a_form_is_no_form(monkeypatch: pytest.MonkeyPatch, client: TestClient) -> None:
    signed: list[object] = []
    monkeypatch.setattr("outreach.signing.sign", lambda *args, **_: signed.append(args))
    part = {"type": "http.request", "body": b"name=Jane&email=jane%40example.org&own_words=I+am+not", "more_body": True}
    assert drive(client, part, {"type": "http.disconnect"}) == []
    assert signed == []
    rest = {"type": "http.request", "body": b"+sorry", "more_body": False}
    drive(client, part, rest)
    assert len(signed) == 1


def test_head_is_get_without_the_body(client: TestClient) -> None:
    got, headed = client.get("/"), client.head("/")
    assert headed.status_code == 200
    assert headed.text == ""
    assert headed.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused_in_plain_words(client: TestClient, method: str) -> None:
    answer = client.request(method, "/")
    assert answer.status_code == 405
    assert "cannot be used that way" in answer.text


def test_threat_b12_a_broken_page_says_sorry_and_the_log_quotes_nothing(client: TestClient) -> None:
    app = app_of(client)

    def broken() -> None:
        raise RuntimeError("jane@example.org said something private")

    app.add_api_route("/broken/{token}", broken)
    with capture_logs() as lines:
        answer = client.get("/broken/s3cr3t-token")
    assert answer.status_code == 500
    assert "Sorry" in answer.text
    assert "private" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    written = str(lines)
    assert "RuntimeError" in written
    assert "/broken/{token}" in written
    assert "s3cr3t-token" not in written
    assert "private" not in written
    assert "jane" not in written


def test_threat_b12_the_access_log_names_the_route_and_never_the_token_or_the_query(client: TestClient) -> None:
    with capture_logs() as lines:
        client.get("/confirm/s3cr3t-token?utm_source=jane")
    [line] = [line for line in lines if line["event"] == "request"]
    assert line["route"] == "/confirm/{token}"
    assert line["status"] == 404
    assert "s3cr3t" not in str(lines)
    assert "jane" not in str(lines)


def test_error_pages_speak_to_people(client: TestClient) -> None:
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert "<h1>Page not found</h1>" in answer.text
    assert "404" not in answer.text
    assert "nowhere" not in answer.text
