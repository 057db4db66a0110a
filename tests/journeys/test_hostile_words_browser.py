"""A real browser opens a page of every kind while markup stands in every field of it. Numbers are the threats'."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from playwright.sync_api import Dialog

from outreach.domain.deliveries import Stream
from tests.browser import Site, Visitor
from tests.fakes.inbound import SECRET
from tests.rules.furnished import furnish
from tests.rules.post import Way, opened
from tests.rules.test_hostile_words import crawl
from tests.sites import rung

__all__ = ["rung"]


def test_threat_a7_in_a_browser_nothing_of_what_others_write_runs(
    site: Site, visit: Visitor, rung: list[Stream]
) -> None:
    """That no page breaks our own policy either, or asks another site for anything, is seen as the visit ends."""
    settings = replace(site.settings, inbound_secret=SECRET)
    with opened(Way.BYTES, site.db, settings, datetime.now(UTC), rung, settings.mailbox_dir) as post:
        house = furnish(post)
        paths = [path for path, page in crawl(house, of_a_kind=1).html if page.shown and "lang=" not in path]
    assert len(paths) > 40
    page = visit().page
    for name, value in house.staff.cookies.items():
        page.context.add_cookies([{"name": name, "value": value, "url": site.url}])
    asked: list[str] = []

    def dialog(opened_by_it: Dialog) -> None:
        asked.append(f"{page.url}: {opened_by_it.message}")
        opened_by_it.dismiss()

    page.on("dialog", dialog)
    shown = 0
    for path in paths:
        page.goto(site.url + path, wait_until="domcontentloaded")
        assert page.evaluate("document.querySelectorAll('[onload], [onfocus], [onerror]').length") == 0, path
        shown += "<x-" in (page.text_content("body") or "")

    assert asked == []
    assert shown > 40
