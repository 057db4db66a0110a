"""Where a signer came from: a short link's code or a partner's name, carried from the address to the form."""

from __future__ import annotations

import re
from collections.abc import Mapping

from outreach.signing.sharing import is_code
from outreach.signing.sharing import source_of as share_source

#: The field, in an address and in the form, of a short link's code, and that of a partner's name.
VIA, FROM = "via", "from"
_PARTNER = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


def carried(values: Mapping[str, str]) -> dict[str, str]:
    """What of an address or a form says where somebody came from. Anything else that stands there is left out."""
    via, partner = values.get(VIA, ""), values.get(FROM, "").lower()
    found = {VIA: via} if is_code(via) else {}
    return found | ({FROM: partner} if _PARTNER.fullmatch(partner) else {})


def source_of(values: Mapping[str, str]) -> str:
    """The source of a signature: "share:CODE", "partner:NAME", or "web". A person's own link counts before a site."""
    known = carried(values)
    if VIA in known:
        return share_source(known[VIA])
    return f"partner:{known[FROM]}" if FROM in known else "web"
