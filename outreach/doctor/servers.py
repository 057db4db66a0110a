"""The database, the broker, and the processes that should be alive."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import redis
from packaging.version import Version
from sqlalchemy import text

from outreach import embedded, heartbeats, migrating
from outreach.doctor.findings import Finding, fail, good, warn
from outreach.errors import OutreachError
from outreach.models import Database
from outreach.settings import Settings

_REDIS_FLOOR = "6.2"
_POSTGRES_FLOOR = 13
#: A clock that is further off than this dates mails and tokens wrongly.
_DRIFT = 2.0


def look_at_servers(settings: Settings) -> Iterator[Finding]:
    """Everything that listens, or should."""
    if settings.is_embedded and not (settings.data_dir / "outreach.db").exists() and not settings.database_url:
        yield warn("database", "There is none yet.", "`outreach init` or `outreach up` makes it.")
    else:
        yield from _database(settings)
    yield _redis(settings)


def _database(settings: Settings) -> Iterator[Finding]:
    db = Database(settings.database)
    try:
        yield from _sqlite(db) if db.is_sqlite else _postgresql(db)
        at, need = migrating.current(db), migrating.newest()
        if at != need:
            yield fail(
                "migrations", f"The database is at {at or 'none'}, this version needs {need}.", "`outreach init`"
            )
            return
        yield good("migrations", f"The database is at {at}, the newest.")
        yield _clock(db)
        yield _processes(db)
    except OutreachError as error:
        yield fail(error.where or "database", error.message, error.advice)
    finally:
        db.close()


def _sqlite(db: Database) -> Iterator[Finding]:
    with db.begin() as session:
        version = session.scalar(text("SELECT sqlite_version()"))
        mode, safety = session.scalar(text("PRAGMA journal_mode")), session.scalar(text("PRAGMA synchronous"))
    if mode == "wal" and safety == 2:
        yield good("database", f"SQLite {version}, write-ahead log, every commit on disk.")
    else:
        yield fail(
            "database", f"SQLite {version} runs with journal {mode}, synchronous {safety}.", "Is it on a network share?"
        )


def _postgresql(db: Database) -> Iterator[Finding]:
    with db.read() as session:
        number = int(str(session.scalar(text("SHOW server_version_num"))))
        version, commits = session.scalar(text("SHOW server_version")), session.scalar(text("SHOW synchronous_commit"))
        fsync = session.scalar(text("SHOW fsync"))
    if number // 10000 < _POSTGRES_FLOOR:
        yield fail("database", f"PostgreSQL {version} is too old.", f"Use {_POSTGRES_FLOOR} or newer.")
    elif commits == "off" or fsync == "off":
        advice = "Switch synchronous_commit and fsync on: a crash could lose what signers were thanked for."
        yield fail("database", f"PostgreSQL {version} does not wait for the disk.", advice)
    else:
        yield good("database", f"PostgreSQL {version}, every commit on disk.")


def _clock(db: Database) -> Finding:
    drift = abs((db.now() - datetime.now(UTC)).total_seconds())
    if drift > _DRIFT:
        return warn("clock", f"This clock and the database's are {drift:.0f} s apart.", "Let a time service set both.")
    return good("clock", "This clock and the database's agree.")


def _processes(db: Database) -> Finding:
    with db.read() as session:
        up = [row.kind for row in heartbeats.alive(session, now=db.now())]
    seen = ", ".join(f"{up.count(kind)} {kind}" for kind in sorted(set(up))) or "none"
    if "worker" in up and "beat" in up:
        return good("processes", f"Alive: {seen}.")
    return warn("processes", f"Alive: {seen}. Without worker and beat no mail leaves.", "Start them: `outreach up`.")


def _redis(settings: Settings) -> Finding:
    client = embedded.connect(settings)
    try:
        seen = client.info()
    except redis.AuthenticationError:
        return fail("redis", "It does not accept our password.", "Correct OUTREACH_REDIS_URL.")
    except redis.RedisError as error:
        if not settings.redis_url:
            return _not_started(settings)
        return fail(
            "redis", f"It does not answer ({type(error).__name__}).", "Start it, or correct OUTREACH_REDIS_URL."
        )
    finally:
        client.close()
    version, policy = str(seen.get("redis_version", "0")), seen.get("maxmemory_policy", "unknown")
    if Version(version) < Version(_REDIS_FLOOR):
        return fail("redis", f"Version {version} is too old.", f"Use {_REDIS_FLOOR} or newer.")
    if policy != "noeviction":
        return warn(
            "redis", f"Version {version} throws keys away when full ({policy}).", "Set maxmemory-policy noeviction."
        )
    return good("redis", f"Version {version}, {policy}.")


def _not_started(settings: Settings) -> Finding:
    try:
        binary = embedded.find_server()
    except OutreachError as error:
        return fail("redis", error.message, error.advice)
    return warn("redis", f"Not running; {binary.name} is there.", "`outreach up` starts it.")
