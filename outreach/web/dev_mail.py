"""The mailbox of the embedded shape, to be read in a browser. It is there only while mail goes to the mailbox."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse, Response

from outreach.errors import NotFound
from outreach.settings import Settings
from outreach.transports.mailbox import StoredMail, mail_names, open_mail, read_mailbox
from outreach.web.guards import content_policy
from outreach.web.pages import page, settings_of

PAGE = 50
VIEWS = ("html", "text", "source", "headers")

#: A mail is hostile until proven otherwise: no script, no form, no picture from anywhere, an origin of its own.
_MAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


def mailbox_settings(settings: Annotated[Settings, Depends(settings_of)]) -> Settings:
    """NotFound unless letters go to the mailbox."""
    if settings.transport != "mailbox":
        raise NotFound
    return settings


Mailbox = Annotated[Settings, Depends(mailbox_settings)]
router = APIRouter(include_in_schema=False, prefix="/dev/mail")


@router.get("")
def mails(request: Request, settings: Mailbox, q: str = "", p: int = 1) -> Response:
    """The newest mails first, fifty a page."""
    at = max(0, min(p, 10_000) - 1) * PAGE
    words = q.strip()[:200]
    shown = list(islice(_matching(settings, words, at), PAGE + 1))
    return page(
        request,
        "dev/mails.html",
        mails=shown[:PAGE],
        q=words,
        total=None if words else len(mail_names(settings.mailbox_dir)),
        newer=_address(words, p - 1) if at else "",
        older=_address(words, p + 1) if len(shown) > PAGE else "",
    )


def _matching(settings: Settings, words: str, at: int) -> Iterator[StoredMail]:
    folder = settings.mailbox_dir
    if not words:
        return _opened(folder, mail_names(folder)[at : at + PAGE + 1])
    found = (mail for mail in read_mailbox(folder) if _holds(mail, words.casefold()))
    return islice(found, at, None)


def _opened(folder: Path, names: list[str]) -> Iterator[StoredMail]:
    for name in names:
        with suppress(NotFound):  # deleted in between
            yield open_mail(folder, name)


def _holds(mail: StoredMail, words: str) -> bool:
    return any(words in part.casefold() for part in (mail.to, mail.sender, mail.subject, mail.text, mail.name))


def _address(q: str, p: int) -> str:
    return "/dev/mail?" + urlencode({**({"q": q} if q else {}), "p": p})


@router.get("/{name}")
def mail(request: Request, settings: Mailbox, name: str, view: str = "html") -> Response:
    """One mail: as it looks, as text, as it was sent, and its headers."""
    found = open_mail(settings.mailbox_dir, name)
    view = view if view in VIEWS else "html"
    source = found.raw.decode("utf-8", "replace").replace("\r\n", "\n")
    return page(
        request,
        "dev/mail.html",
        headers={"Content-Security-Policy": content_policy(frame_src="'self'")},
        mail=found,
        view=view if found.html or view != "html" else "text",
        views=VIEWS,
        source=source,
        fields=_fields(source),
        links=_own_links(found.text, settings.base_url),
    )


@router.get("/{name}/html")
def mail_html(settings: Mailbox, name: str) -> Response:
    """The HTML part alone, for the frame."""
    found = open_mail(settings.mailbox_dir, name)
    return HTMLResponse(found.html, headers={"Content-Security-Policy": _MAIL_POLICY})


def _fields(source: str) -> list[tuple[str, str]]:
    """The header lines of a mail, unfolded, in their order."""
    head = re.sub(r"\n[ \t]+", " ", source.partition("\n\n")[0])
    return [(name, value.strip()) for name, _, value in (line.partition(":") for line in head.split("\n"))]


def _own_links(text: str, base_url: str) -> list[str]:
    """Links to our own pages in a mail's text, each once: what its reader would click."""
    found = re.findall(re.escape(base_url) + r"/[A-Za-z0-9/_.~-]*[A-Za-z0-9/_~-]", text)
    return list(dict.fromkeys(found))
