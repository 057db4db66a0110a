"""Proof of work: a sum that costs a browser a second and a flood of forms more than it is worth. Nobody else is asked.

The challenge is signed, so nothing of it is stored. A solution counts once: used ones are remembered until they
expire, in Redis, or by this process alone while Redis is away.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

import altcha
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from outreach.keys import Keys
from outreach.web.rates import Rates

router = APIRouter(include_in_schema=False)

_ALGORITHM = "PBKDF2/SHA-256"
#: Rounds of one try, of which a solver needs 256 on average: about half a second on a laptop, two on a phone.
_COST = 5000
#: Long enough to write a letter meanwhile; the widget asks for a new one by itself.
_SECONDS = 3600
_LONGEST = 4000


class Proofs:
    """Sets sums and checks what comes back. One per application."""

    def __init__(self, keys: Keys, rates: Rates) -> None:
        self._secret = keys.sub_key("proof")
        self._rates = rates

    def challenge(self) -> dict[str, Any]:
        """A new sum, as the widget wants it."""
        # The library compares with the clock, so the clock it is, not the request's time.
        expires_at = int(time.time()) + _SECONDS
        made = altcha.create_challenge(_ALGORITHM, _COST, expires_at=expires_at, hmac_secret=self._secret)
        return made.to_dict()

    def accept(self, payload: str) -> bool:
        """Whether it solves a sum of ours that nobody has used yet. Uses it up."""
        if not payload or len(payload) > _LONGEST or not self._solves(payload):
            return False
        signature = altcha.Payload.from_base64(payload).challenge.signature or ""
        return self._rates.is_first(hashlib.sha256(signature.encode()).hexdigest(), seconds=_SECONDS)

    def _solves(self, payload: str) -> bool:
        try:
            return bool(altcha.verify_solution(payload, self._secret).verified)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):  # whatever a stranger makes up
            return False


def proofs_of(request: Request) -> Proofs:
    """The application's proofs; a dependency."""
    return request.app.state.proofs  # type: ignore[no-any-return]


@router.get("/proof")
def challenge(request: Request) -> Response:
    """A sum for the widget of a sign form."""
    return JSONResponse(proofs_of(request).challenge(), headers={"Cache-Control": "no-store"})
