"""Normalise and compare mail addresses. Checking whether one is valid at all is the door's business."""

from __future__ import annotations

from contextlib import suppress

#: Providers that deliver `a.b+c@` and `ab@` to one mailbox. For finding duplicates only, never for writing to.
_DOTS_IGNORED = {"gmail.com": "gmail.com", "googlemail.com": "gmail.com"}
_PLUS_IGNORED = frozenset(
    {"gmail.com", "outlook.com", "hotmail.com", "live.com", "fastmail.com", "proton.me", "protonmail.com", "icloud.com"}
)


def address_key(address: str) -> str:
    """One key per mailbox: folded case, the domain in ASCII, and the provider's own notion of "the same".

    `address` must already be a checked address. Two people may share no key; one person's spellings should.
    """
    local, _, domain = address.strip().rpartition("@")
    domain = domain.casefold().rstrip(".")
    with suppress(UnicodeError):  # not encodable: then it is at least the same as itself
        domain = domain.encode("idna").decode() if not domain.isascii() else domain
    domain = _DOTS_IGNORED.get(domain, domain)
    local = local.casefold()
    if domain in _PLUS_IGNORED:
        local = local.partition("+")[0]
    if domain in _DOTS_IGNORED.values():
        local = local.replace(".", "")
    return f"{local}@{domain}"
