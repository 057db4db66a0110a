"""`outreach up` with real processes: kept alive, stopped in order, and never left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from outreach import embedded, supervisor
from outreach.errors import NotNow, WrongSetting
from outreach.settings import Settings
from outreach.supervisor import Child, Part, Supervisor
from tests.conftest import make_settings
from tests.servers import free_port

pytestmark = pytest.mark.servers

PATIENCE = 120.0  #: several engines may be starting on this machine at once


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """Settings of the embedded shape, with a port of our own."""
    return make_settings(tmp_path, port=str(free_port()))


def until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children_of(pid: int) -> list[int]:
    """Of every thread: the supervisor's children are those of the thread that started them."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(word) for word in task.read_text().split()]
    return found


def sleeper(name: str, *, stops: int = 0) -> Part:
    return Part(name, lambda: ["sleep", "600"], 5, stops=stops)


@pytest.fixture
def running(own: Settings) -> Iterator[Callable[..., Supervisor]]:
    begun: list[Supervisor] = []

    def start(*run: Part, say: Callable[[str], None] = lambda _: None) -> Supervisor:
        begun.append(Supervisor(own, run or None, say=say))
        begun[-1].start()
        return begun[-1]

    yield start
    for one in begun:
        one.stop()


def test_the_whole_engine_comes_up_survives_kills_and_stops_clean(
    running: Callable[..., Supervisor], own: Settings
) -> None:
    said: list[str] = []
    engine = running(say=said.append)
    engine.wait_ready(PATIENCE)
    before = engine.pids
    assert set(before) == {"redis", "worker", "act", "beat", "web"}
    pool = children_of(before["worker"])
    assert len(pool) >= own.workers

    for name in ("redis", "worker", "beat", "web"):
        os.kill(before[name], signal.SIGKILL)
    until(lambda: not any(is_alive(pid) for pid in pool), "the pool of a killed worker goes as well")
    until(lambda: all(engine.pids.get(n, p) != p for n, p in before.items() if n != "act"), "each is started again")
    engine.wait_ready(PATIENCE)
    assert any(line.startswith("worker ended (SIGKILL)") for line in said)

    after = [*engine.pids.values(), *children_of(engine.pids["worker"]), *children_of(engine.pids["act"])]
    engine.stop()
    assert not [pid for pid in after if is_alive(pid)]
    assert not [line for line in said if "did not stop" in line]


_UP = "import sys; from outreach.cli.app import main; sys.argv = ['outreach', 'up', '--json']; main()"


@pytest.fixture
def up(own: Settings) -> Iterator[subprocess.Popen[str]]:
    """`outreach up --json` as a stranger's script starts it, up already."""
    unset = {"PYTHONUNBUFFERED"}  # few have set it: what is printed to a pipe must not wait there for the end
    with subprocess.Popen(
        [sys.executable, "-c", _UP],
        env={name: value for name, value in supervisor.environment(own).items() if name not in unset},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["addresses"]
            yield process
        finally:
            process.kill()


def all_below(pid: int) -> list[int]:
    return [below for child in children_of(pid) for below in (child, *all_below(child))]


def test_ctrl_c_ends_up_with_exit_code_0_and_leaves_nothing(up: subprocess.Popen[str]) -> None:
    family = all_below(up.pid)
    assert len(family) >= 5

    up.send_signal(signal.SIGINT)
    _, words = up.communicate(timeout=PATIENCE)

    assert up.returncode == 0, words
    assert not [pid for pid in family if is_alive(pid)]
    assert "Traceback" not in words


def test_a_killed_supervisor_leaves_no_process_behind(up: subprocess.Popen[str], own: Settings) -> None:
    family = all_below(up.pid)
    assert len(family) >= 8, "five children and the pools of two workers"

    up.kill()
    up.communicate()

    until(lambda: not [pid for pid in family if is_alive(pid)], "children and grandchildren are gone")
    with embedded.locked_folder(own):
        pass  # and the data folder is free for the next one


def test_a_second_engine_on_the_same_folder_is_refused_and_told_who_has_it(
    running: Callable[..., Supervisor], own: Settings
) -> None:
    running(sleeper("one"))

    with pytest.raises(NotNow, match=f"process {os.getpid()}"):
        Supervisor(own, [sleeper("two")]).start()


def test_a_port_in_use_is_one_line_that_names_the_setting(own: Settings) -> None:
    with socket.create_server(("127.0.0.1", own.port)), pytest.raises(WrongSetting) as told:
        Supervisor(own).start()

    assert told.value.where == "OUTREACH_PORT"
    assert str(own.port + 1) in told.value.advice
    with embedded.locked_folder(own):
        pass  # the refusal keeps nothing locked


def test_a_data_folder_that_cannot_be_made_is_one_line_that_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file, where a folder should be")

    with pytest.raises(WrongSetting, match="cannot be written"):
        Supervisor(make_settings(tmp_path)).start()


def test_without_any_redis_the_pages_still_come_up(
    own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bin" / "valkey-server"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    said: list[str] = []
    engine = Supervisor(own, [p for p in supervisor.parts(own) if p.name in ("redis", "web")], say=said.append)
    engine.start()
    try:
        until(lambda: supervisor.serves(own), "the pages are served")
        until(lambda: any(line.startswith("redis ended") for line in said), "it is said that redis does not start")
    finally:
        engine.stop()


def test_redis_gets_empty_files_when_it_cannot_start_from_its_own(
    running: Callable[..., Supervisor], own: Settings
) -> None:
    damaged = own.data_dir / "redis" / "appendonlydir"
    damaged.mkdir(parents=True)
    (damaged / "appendonly.aof.manifest").write_text("no manifest at all\n")
    said: list[str] = []

    engine = running(*(p for p in supervisor.parts(own) if p.name == "redis"), say=said.append)
    engine.wait_ready(PATIENCE)

    assert any("redis cannot start from its files" in line for line in said)
    assert list(own.data_dir.glob("redis.damaged-*"))


def test_a_part_that_will_not_stop_is_ended_and_later_parts_wait_for_it(own: Settings, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    deaf = "trap 'echo deaf told >>$0' TERM; echo up >>$0; while :; do sleep 0.1; done"
    last = "trap 'echo last told >>$0; exit 0' TERM; echo up >>$0; while :; do sleep 0.1; done"
    said: list[str] = []
    engine = Supervisor(
        own,
        [
            Part("last", lambda: ["sh", "-c", last, str(trace)], 5, stops=1),
            Part("deaf", lambda: ["sh", "-c", deaf, str(trace)], 0.5),
        ],
        say=said.append,
    )
    engine.start()
    until(lambda: trace.exists() and trace.read_text().count("up") == 2, "both run")

    engine.stop()

    assert trace.read_text().splitlines()[2:] == ["deaf told", "last told"]
    assert said == ["deaf did not stop in 0.5 s and was ended."]


def test_a_part_that_keeps_dying_is_started_less_and_less_often() -> None:
    child = Child(sleeper("any"))

    delays = []
    for child.deaths in range(1, 9):
        delays.append(child.delay)

    assert delays == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def test_children_read_the_very_settings_the_supervisor_was_given(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTREACH_REDIS_URL", "redis://elsewhere.example.org")
    monkeypatch.setenv("OUTREACH_BATCH", "7")

    assert Settings.from_env(supervisor.environment(own), dotenv=None) == own
