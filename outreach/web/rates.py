"""How often one network may do something: a sliding window per purpose, in Redis when there is one for all.

When Redis is away the count goes on in this process alone: a form that mails strangers is never left open, and a
signer is never turned away because a server of ours is ill. `is_alone` says so to who must be stricter then.
"""

from __future__ import annotations

import ipaddress
import math
import time
from typing import Any

import structlog
from fastapi import Request
from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from outreach.keys import Keys
from outreach.settings import Settings

log = structlog.get_logger()

#: After Redis did not answer, do not ask it again for this long: its timeout would be every signer's wait.
_SECONDS_APART = 15.0


class Rates:
    """Counts tries per purpose and network. One per application; its threads share it."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        self._hops = settings.trusted_hops
        self._keys = Keys(keys.sub_key("network"))
        self._memory = MemoryStorage()
        self._here = SlidingWindowCounterRateLimiter(self._memory)
        self._redis = _redis(settings.redis_url) if settings.redis_url else None
        self._shared = SlidingWindowCounterRateLimiter(self._redis) if self._redis else None
        self._back_at = 0.0

    def take(self, request: Request, purpose: str, *, per_minute: int, subject: str = "") -> int:
        """Count one try. 0 when it is within the limit, else the seconds to wait.

        It is counted for the network the request came from, or for `subject` (an account) wherever it came from.
        """
        return self._ask(request, purpose, per_minute, counting=True, subject=subject)

    def look(self, request: Request, purpose: str, *, per_minute: int) -> int:
        """As `take`, without counting."""
        return self._ask(request, purpose, per_minute, counting=False)

    def is_first(self, name: str, *, seconds: int) -> bool:
        """Whether this name is said for the first time within so long. Kept in Redis, or by this process alone."""
        key = "first/" + self._hash(name)
        if self._asks_redis and self._redis is not None:
            try:
                return self._redis.incr(key, seconds) == 1
            except StorageError as error:
                self._lost(error)
        return self._memory.incr(key, seconds) == 1

    @property
    def is_alone(self) -> bool:
        """Whether other processes count on their own now, so that together they let more pass than they should."""
        return self._redis is not None and not self._asks_redis

    def network_hash(self, request: Request) -> str:
        """What is kept of where a request came from: enough to find others by, and nobody's address."""
        return self._hash("network/" + network_of(request, self._hops))[:16]

    def close(self) -> None:
        """Let go of the connections to Redis."""
        if self._redis is not None:
            self._redis.storage.close()

    def _ask(self, request: Request, purpose: str, per_minute: int, *, counting: bool, subject: str = "") -> int:
        item, key = RateLimitItemPerMinute(per_minute), self._key(request, purpose, subject)
        if self._asks_redis and self._shared is not None:
            try:
                return _wait(self._shared, item, key, counting)
            except StorageError as error:
                self._lost(error)
        return _wait(self._here, item, key, counting)

    def _key(self, request: Request, purpose: str, subject: str) -> str:
        # A keyed hash, so that no list of our visitors' addresses lies in Redis.
        subject = subject or network_of(request, self._hops)
        return self._hash(f"{purpose}/{subject}")

    def _hash(self, name: str) -> str:
        return self._keys.sub_key(name)[:32]

    @property
    def _asks_redis(self) -> bool:
        return self._redis is not None and time.monotonic() >= self._back_at

    def _lost(self, error: StorageError) -> None:
        self._back_at = time.monotonic() + _SECONDS_APART
        log.warning("rates_counted_alone", error=type(error).__name__)


def network_of(request: Request, trusted_hops: int) -> str:
    """The network a request came from: its IPv4 address, or its /64.

    `X-Forwarded-For` counts from the right, and only as many entries as there are proxies of ours: what stands
    further left is what the client claims.
    """
    peer = request.client.host if request.client else "unknown"
    if trusted_hops:
        told = [part.strip() for part in ",".join(request.headers.getlist("x-forwarded-for")).split(",")]
        peer = (told[-trusted_hops] if len(told) >= trusted_hops else "") or peer
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def rates_of(request: Request) -> Rates:
    """The application's counts; a dependency."""
    return request.app.state.rates  # type: ignore[no-any-return]


def _redis(url: str) -> RedisStorage:
    url = "redis+" + url if url.startswith("unix://") else url
    patience: dict[str, Any] = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5, "retry": None}  # ask once
    return RedisStorage(url, wrap_exceptions=True, **patience)


def _wait(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItemPerMinute, key: str, counting: bool) -> int:
    free = limiter.hit(item, key) if counting else limiter.test(item, key)
    if free:
        return 0
    return max(1, math.ceil(limiter.get_window_stats(item, key).reset_time - time.time()))
