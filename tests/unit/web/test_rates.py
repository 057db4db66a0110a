"""Whose tries are counted together, and that counting goes on when Redis does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from outreach.keys import Keys
from outreach.web.rates import Rates, network_of
from tests.conftest import make_settings
from tests.servers import free_port, redis_server

KEYS = Keys("0123456789abcdefghijklmnopqrstuvwxyz-test")


def request(peer: str = "203.0.113.7", *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    return Request({"type": "http", "client": (peer, 1), "headers": headers, "method": "POST", "path": "/"})


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv4_address_counts_alone_and_an_ipv6_address_with_its_neighbours(peer: str, network: str) -> None:
    assert network_of(request(peer), 0) == network


def test_threat_b8_without_proxies_of_ours_what_a_client_claims_is_ignored() -> None:
    assert network_of(request("203.0.113.7", "198.51.100.1"), 0) == "203.0.113.7"


@pytest.mark.parametrize(
    ("hops", "forwarded", "network"),
    [
        (1, ("6.6.6.6, 198.51.100.1",), "198.51.100.1"),
        (1, ("6.6.6.6", "198.51.100.1"), "198.51.100.1"),
        (2, ("6.6.6.6, 198.51.100.1, 10.0.0.2",), "198.51.100.1"),
        (2, ("198.51.100.1",), "203.0.113.7"),  # came past a proxy: then the peer is who we know
        (1, (), "203.0.113.7"),
    ],
)
def test_threat_b8_only_the_entries_of_our_own_proxies_are_believed(
    hops: int, forwarded: tuple[str, ...], network: str
) -> None:
    assert network_of(request("203.0.113.7", *forwarded), hops) == network


@given(st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=200), st.integers(0, 5))
def test_no_header_breaks_it(header: str, hops: int) -> None:
    scope = {"type": "http", "client": ("203.0.113.7", 1), "headers": [(b"x-forwarded-for", header.encode("latin-1"))]}
    assert len(network_of(Request({**scope, "method": "POST", "path": "/"}), hops)) <= 64


def test_the_limit_holds_per_network_and_purpose(tmp_path: Path) -> None:
    rates = Rates(make_settings(tmp_path), KEYS)
    assert [rates.take(request(), "sign", per_minute=3) for _ in range(3)] == [0, 0, 0]
    assert 1 <= rates.take(request(), "sign", per_minute=3) <= 120
    assert rates.take(request("203.0.113.8"), "sign", per_minute=3) == 0
    assert rates.take(request(), "guess", per_minute=3) == 0


def test_looking_does_not_count(tmp_path: Path) -> None:
    rates = Rates(make_settings(tmp_path), KEYS)
    assert [rates.look(request(), "guess", per_minute=1) for _ in range(5)] == [0] * 5
    rates.take(request(), "guess", per_minute=1)
    assert rates.look(request(), "guess", per_minute=1) > 0


def test_fault_f11_without_redis_this_process_counts_alone(tmp_path: Path) -> None:
    rates = Rates(make_settings(tmp_path, redis_url=f"redis://127.0.0.1:{free_port()}/0"), KEYS)
    answers = [rates.take(request(), "sign", per_minute=2) for _ in range(4)]
    assert answers[:2] == [0, 0]
    assert all(answers[2:])


@pytest.mark.servers
def test_two_processes_with_one_redis_share_a_limit_and_show_it_no_address(tmp_path: Path) -> None:
    import redis

    with redis_server(tmp_path / "redis") as (url, _):
        settings = make_settings(tmp_path, redis_url=url)
        one, other = Rates(settings, KEYS), Rates(settings, KEYS)
        assert one.take(request(), "sign", per_minute=2) == 0
        assert other.take(request(), "sign", per_minute=2) == 0
        assert one.take(request(), "sign", per_minute=2) > 0
        with redis.Redis.from_url(url) as client:
            names = b" ".join(client.keys("*"))
        assert names
        assert b"203.0.113" not in names
        one.close()
        other.close()
