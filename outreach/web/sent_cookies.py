"""What the page after signing knows of the form before it: sealed in a cookie, for an hour, for this browser alone.

The address a link was sent to stands in no URL, no log and no row of ours that says "this browser"; the cookie's
text can be read and made by the engine only.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken
from fastapi import Request
from starlette.responses import Response

from outreach.keys import Keys
from outreach.web.cookies import cookie_name, set_cookie
from outreach.web.pages import keys_of

_PURPOSE = "sent"
_OPENS_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Sent:
    """A link was asked for: for which campaign, to which address as typed, and when (seconds since 1970)."""

    slug: str
    address: str
    at: int


def remember_sent(request: Request, response: Response, sent: Sent) -> None:
    """Give the browser the sealed note. It is not sent along with what other sites make the browser ask for."""
    sealed = _seal(keys_of(request)).encrypt_at_time(json.dumps(asdict(sent)).encode(), sent.at).decode()
    set_cookie(request, response, sealed, purpose=_PURPOSE, max_age=int(_OPENS_FOR.total_seconds()))


def sent_of(request: Request, slug: str, *, now: datetime) -> Sent | None:
    """The note for this campaign; None when there is none, it is too old, or it is not ours."""
    sealed = request.cookies.get(cookie_name(request, _PURPOSE), "")
    try:
        opened = _seal(keys_of(request)).decrypt_at_time(
            sealed.encode(), ttl=int(_OPENS_FOR.total_seconds()), current_time=int(now.timestamp())
        )
        sent = Sent(**json.loads(opened))
    except (InvalidToken, ValueError, TypeError):
        return None
    return sent if sent.slug == slug else None


def _seal(keys: Keys) -> Fernet:
    return Fernet(urlsafe_b64encode(bytes.fromhex(keys.sub_key("sent cookie"))))
