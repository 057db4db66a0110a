"""Signatures that are set aside: why, and when a signer looks like somebody they write to."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from enum import StrEnum


class Suspicion(StrEnum):
    """Why a signature is not counted until staff have looked at it. What follows each is for staff."""

    NETWORK = "network"  #: more from one network than people sign, without proof of work
    BURST = "burst"  #: more in a minute than the campaign expects, without proof of work
    MAIL_DOMAIN = "mail_domain"  #: more addresses of one mail domain than people have there
    HOUSEHOLD = "household"  #: more names than one address may be shared by
    LOOKS_LIKE_TARGET = "looks_like_target"  #: the name or the address is that of somebody written to


#: Those under which nobody is mailed: the form may be somebody's tool to fill a stranger's mailbox.
UNMAILED = frozenset({Suspicion.NETWORK, Suspicion.MAIL_DOMAIN})

#: Names that may share one address in one campaign.
HOUSEHOLD_LIMIT = 6

_BEFORE_NAMES = """
mr mrs ms mx dr prof sir dame lord lady hon honorable honourable the rt right his her excellency dear
sr sra srta don dona senor senora
"""
_TITLES = frozenset(_BEFORE_NAMES.split())


def folded(name: str) -> str:
    """A name as it is compared: case, accents, punctuation and spacing make no other person."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    return " ".join("".join(sign if sign.isalnum() else " " for sign in bare.casefold()).split())


def looks_like(name: str, *, target: str, office: str = "", salutation: str = "") -> bool:
    """Whether a signer's name says nothing but the target's: "Dr. Rivera, Alex", "Mayor Alex Rivera", "The Mayor"."""
    said, held = set(folded(name).split()), set(folded(target).split())
    if held:
        return held <= said and said - held <= _TITLES | set(folded(f"{office} {salutation}").split())
    return said - _TITLES == set(folded(office).split()) - _TITLES != set()


#: Mail domains whose users are everybody. A flood of addresses there says nothing about who sends it.
_OPEN_TO_ALL = """
gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com ymail.com aol.com icloud.com me.com
mac.com gmx.com gmx.net gmx.de web.de mail.com proton.me protonmail.com pm.me zoho.com yandex.com mail.ru
comcast.net verizon.net att.net sbcglobal.net cox.net charter.net t-online.de orange.fr free.fr laposte.net
libero.it btinternet.com sky.com fastmail.com tutanota.com hotmail.es yahoo.es hotmail.co.uk yahoo.co.uk
"""


def is_open_to_all(mail_domain: str) -> bool:
    """Whether anybody may have an address there, so that no limit is set to them together."""
    return mail_domain.lower() in _OPEN_TO_ALL.split()


def first_of(reasons: Iterable[str]) -> str:
    """The one reason that is kept, or "": a row says one, and the first found weighs most."""
    return next((reason for reason in reasons if reason), "")
