"""What SendGrid's `mail/send` accepts: its schema, its limits and the errors it names them by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MAX_BODY = 30_000_000
MAX_RECIPIENTS = 1000
FORBIDDEN = _words(
    """
    x-sg-id x-sg-eid received dkim-signature content-type content-transfer-encoding
    to from subject reply-to cc bcc
    """
)
_ROOT = _words(
    """
    personalizations from reply_to reply_to_list subject content attachments template_id headers categories
    custom_args send_at batch_id asm ip_pool_name mail_settings tracking_settings substitutions
    """
)
_PERSONAL = _words("from to cc bcc subject headers substitutions dynamic_template_data custom_args send_at")
_CONTENT_ORDER = ("text/plain", "text/x-amp-html", "text/html", "text/calendar")
_ADDRESS = re.compile(r"[!#-'*+/-9=?A-Z^-~-]+(\.[!#-'*+/-9=?A-Z^-~-]+)*@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]{2,}")
_BREAKS = re.compile("[\r\n\0]")


class Invalid(Exception):
    """The request is refused with 400. `field` None is the opaque kind."""

    def __init__(self, field: str | None = None, message: str = "Bad Request") -> None:
        self.field = field
        self.message = message
        super().__init__(f"{field}: {message}")


def validate(body: Any) -> None:
    """Raise Invalid for the first thing SendGrid would not take."""
    if not isinstance(body, dict):
        raise Invalid
    for name in body.keys() - _ROOT:
        raise Invalid(name, f"Additional property {name} is not allowed")
    people = body.get("personalizations")
    if not isinstance(people, list) or not people:
        raise Invalid(
            "personalizations", "The personalizations field is required and must have at least one personalization."
        )
    if len(people) > 1000:
        raise Invalid("personalizations", "There can only be 1000 personalizations per request.")
    sender = _mailbox(body.get("from"), "from.email", names=True)
    _replies(body)
    seen: set[str] = set()
    for n, person in enumerate(people):
        _personalization(person, f"personalizations.{n}", sender, seen)
    if len(seen) > MAX_RECIPIENTS:
        raise Invalid("personalizations", "There can only be 1000 recipients per request.")
    templated = "template_id" in body
    if not templated and not body.get("subject") and not all(p.get("subject") for p in people):
        raise Invalid("subject", "The subject is required. You can get around this requirement if you use a template.")
    if "subject" in body and not isinstance(body["subject"], str):
        raise Invalid("subject", "The subject must be a string.")
    if not templated or "content" in body:
        _content(body.get("content"))
    _strings(body, "custom_args", "custom_args", limit=10_000)
    _headers(body, "headers")
    _categories(body.get("categories", []))
    _tracking(body.get("tracking_settings", {}))


def is_sandbox(body: dict[str, Any]) -> bool:
    return bool(body.get("mail_settings", {}).get("sandbox_mode", {}).get("enable"))


def _personalization(person: Any, where: str, sender: str, seen: set[str]) -> None:
    if not isinstance(person, dict):
        raise Invalid
    for name in person.keys() - _PERSONAL:
        raise Invalid(f"{where}.{name}", f"Additional property {name} is not allowed")
    if not isinstance(person.get("to"), list) or not person["to"]:
        raise Invalid(f"{where}.to", "The to array is required for all personalization objects.")
    for address, at in _recipients(person, where):
        if address.lower() in seen:
            raise Invalid(
                at, "Each email address in the personalization block should be unique between to, cc, and bcc."
            )
        seen.add(address.lower())
    if "from" in person:
        own = _mailbox(person["from"], f"{where}.from.email", names=True)
        if own.rpartition("@")[2].lower() != sender.rpartition("@")[2].lower():
            raise Invalid(f"{where}.from", "The from domain must match the domain of the root from.")
    _strings(person, "custom_args", f"{where}.custom_args", limit=10_000)
    _strings(person, "substitutions", f"{where}.substitutions", limit=10_000)
    _headers(person, f"{where}.headers")


def _recipients(person: dict[str, Any], where: str) -> Iterator[tuple[str, str]]:
    for kind in ("to", "cc", "bcc"):
        for n, mailbox in enumerate(person.get(kind, ())):
            at = f"{where}.{kind}"
            yield _mailbox(mailbox, f"{at}.{n}.email"), at


def _mailbox(mailbox: Any, where: str, *, names: bool = False) -> str:
    """The address of a mailbox. `names`: whether its display name may hold separators."""
    if not isinstance(mailbox, dict) or not isinstance(mailbox.get("email"), str):
        raise Invalid(where.removesuffix(".email"), "The email is required.")
    address: str = mailbox["email"]
    if not _ADDRESS.fullmatch(address) or len(address) > 320:
        raise Invalid(where, "Does not contain a valid address.")
    name = mailbox.get("name", "")
    if not isinstance(name, str):
        raise Invalid
    if _BREAKS.search(name) or (not names and re.search("[,;]", name)):
        raise Invalid(where.replace(".email", ".name"), "The name must not contain commas, semicolons or line breaks.")
    return address


def _replies(body: dict[str, Any]) -> None:
    if "reply_to" in body and "reply_to_list" in body:
        raise Invalid("reply_to_list", "Only one of reply_to and reply_to_list may be used.")
    if "reply_to" in body:
        _mailbox(body["reply_to"], "reply_to.email", names=True)


def _content(content: Any) -> None:
    if not isinstance(content, list) or not content:
        raise Invalid("content", "Unless a valid template_id is provided, the content parameter is required.")
    for n, part in enumerate(content):
        if not isinstance(part, dict) or not isinstance(part.get("value"), str) or not part["value"]:
            raise Invalid(f"content.{n}.value", "The content value must be a string at least one character in length.")
    kinds = [part.get("type") for part in content]
    if any(kind not in _CONTENT_ORDER for kind in kinds):
        raise Invalid("content", "The content type is not supported.")
    if [_CONTENT_ORDER.index(kind) for kind in kinds] != sorted({_CONTENT_ORDER.index(kind) for kind in kinds}):
        raise Invalid("content", "If present, text/plain and text/html may only be provided once, text/plain first.")


def _strings(body: dict[str, Any], name: str, where: str, *, limit: int) -> None:
    values = body.get(name)
    if values is None:
        return
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise Invalid  # SendGrid says no more than that
    if sum(len(k.encode()) + len(v.encode()) for k, v in values.items()) > limit:
        raise Invalid(where, f"The {name} may not be larger than {limit} bytes.")


def _headers(body: dict[str, Any], where: str) -> None:
    headers = body.get("headers")
    if headers is None:
        return
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise Invalid
    for name, value in headers.items():
        if name.lower() in FORBIDDEN:
            raise Invalid(where, f"The header {name} is reserved.")
        if _BREAKS.search(name + value) or not (name + value).isascii():
            raise Invalid(where, "Header values must be one line of ASCII.")


def _categories(categories: Any) -> None:
    if not isinstance(categories, list) or len(categories) > 10 or len(set(categories)) != len(categories):
        raise Invalid("categories", "There can be at most 10 unique categories.")


def _tracking(settings: Any) -> None:
    if not isinstance(settings, dict):
        raise Invalid("tracking_settings", "The tracking_settings must be an object.")
    for name, setting in settings.items():
        if not isinstance(setting, dict) or not isinstance(setting.get("enable", False), bool):
            raise Invalid(f"tracking_settings.{name}.enable", "The enable parameter must be a boolean.")
