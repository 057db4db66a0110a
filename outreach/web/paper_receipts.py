"""`/letter/TOKEN/receipt.pdf`: what was signed and what became of it, to keep on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from markupsafe import Markup
from starlette.responses import Response

from outreach.domain.sentences import _
from outreach.languages import Language
from outreach.printing import print_pdf
from outreach.web.errors import error_page
from outreach.web.links import Guarded
from outreach.web.pages import Db, HeldKeys, Now, Pages, reflow, settings_of
from outreach.web.rates import Rates, rates_of
from outreach.web.speaking import language_of
from outreach.web.tracker import Tracked, track

router = APIRouter(include_in_schema=False)

#: Receipts per minute and network: each takes a process of its own.
PAPERS_PER_MINUTE = 12


@router.get("/letter/{token}/receipt.pdf", dependencies=[Guarded])
def receipt(
    request: Request, token: str, db: Db, keys: HeldKeys, now: Now, rates: Annotated[Rates, Depends(rates_of)]
) -> Response:
    """The letters, when they were confirmed, and what happened to each."""
    if wait := rates.take(request, "paper", per_minute=PAPERS_PER_MINUTE):
        return error_page(request, 429, wait=wait)
    with db.read() as session:
        tracked = track(request, session, token, keys=keys, now=now)
    speaker = language_of(request, own=tracked.receipt.language)
    values = {
        "organisation": settings_of(request).organisation,
        "language": speaker.code,
        "direction": speaker.direction,
        "reference": tracked.receipt.reference,
        "title": speaker.say(_("Receipt for “%(title)s”", title=tracked.receipt.campaign_title)),
        "facts": [[speaker.say(name), value] for name, value in _facts(tracked, speaker, speaker.moment(now))],
        "note": speaker.say(_("Some signs could not be drawn with the fonts we have. Your page shows them all.")),
        "shredded": speaker.say(_("The text was deleted after it had been delivered.")),
        "letters": _letters(request, tracked, speaker),
    }
    name = f"receipt-{tracked.receipt.reference}.pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(print_pdf("papers/receipt.typ", values), media_type="application/pdf", headers=headers)


def _facts(tracked: Tracked, speaker: Language, now: str) -> Iterator[tuple[str, str]]:
    receipt = tracked.receipt
    yield _("Signed by"), receipt.name
    yield _("Reference"), receipt.reference
    if receipt.confirmed_at:
        yield _("Confirmed"), speaker.moment(receipt.confirmed_at)
    if receipt.withdrawn_at:
        yield _("Withdrawn"), speaker.moment(receipt.withdrawn_at)
    yield _("As things stood on"), now


def _letters(request: Request, tracked: Tracked, speaker: Language) -> list[dict[str, Any]]:
    """Each letter with what the page says of it, by the page's own sentences."""
    pages: Pages = request.app.state.pages
    sentences: Any = pages.template("public/track.html", speaker).module
    found = []
    for letter in tracked.receipt.letters:
        said = sentences.said(letter, tracked.expected.get(letter.delivery.id))
        paragraphs = [Markup(part).striptags() for part in re.split(r"</p>", said)]  # noqa: S704 (made plain here)
        found.append(
            {
                "to": speaker.say(_("To %(who)s", who=letter.target_label)),
                "subject": letter.subject,
                "text": reflow(letter.text),
                "said": [paragraph for paragraph in paragraphs if paragraph],
            }
        )
    return found
