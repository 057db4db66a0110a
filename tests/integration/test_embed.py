"""The form in a frame on a partner's page: who may show it, what it sets, and to whom a signature is credited."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from outreach.models import Campaign, Database, Signature
from tests import factories
from tests.sites import JANE, Site, site, site_of

__all__ = ["site", "site_of"]

PARTNER = "https://tenants.example.org"


def list_sites(db: Database, *origins: str) -> None:
    with db.begin() as session:
        session.scalars(select(Campaign)).one().embed_origins = list(origins)


def sources(db: Database) -> list[str]:
    with db.read() as session:
        return list(session.scalars(select(Signature.source).order_by(Signature.id)))


def test_nobody_may_frame_a_campaign_that_lists_no_sites(site: Site) -> None:
    policy = site.client.get("/embed/shelters").headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy


def test_only_the_listed_sites_may_frame_it_and_only_the_form(site: Site) -> None:
    list_sites(site.db, PARTNER, "https://union.example.net")
    framed = site.client.get("/embed/shelters").headers
    ancestors = re.search(r"frame-ancestors ([^;]*)", framed["content-security-policy"])
    assert ancestors is not None
    assert ancestors[1] == f"'self' {PARTNER} https://union.example.net"
    assert framed["cross-origin-resource-policy"] == "cross-origin"
    for path in ("/", "/c/shelters", "/c/shelters/check-your-email", site.sign(email="other@example.org")):
        assert "frame-ancestors 'none'" in site.client.get(path).headers["content-security-policy"], path


@pytest.mark.parametrize("lang", ["en", "es"])
def test_the_frame_sets_no_cookie_and_opens_what_follows_in_the_whole_window(site: Site, lang: str) -> None:
    list_sites(site.db, PARTNER)
    answer = site.client.get(f"/embed/shelters?lang={lang}")
    assert "set-cookie" not in answer.headers
    assert f'<html lang="{lang}"' in answer.text
    assert '<base target="_top">' in answer.text
    assert "draft.js" not in answer.text


@pytest.mark.parametrize(
    ("query", "source"),
    [
        ("?from=tenants-union", "partner:tenants-union"),
        ("?from=Tenants-Union", "partner:tenants-union"),
        ("", "web"),
        ("?from=a%20b<script>", "web"),
        (f"?from={'x' * 41}", "web"),
        ("?via=no-code&from=tenants-union", "partner:tenants-union"),
        ("?via=abcdefgh23&from=tenants-union", "share:abcdefgh23"),
    ],
)
def test_a_signature_is_credited_to_the_partner_whose_page_it_came_from(site: Site, query: str, source: str) -> None:
    for path in ("/embed/shelters", "/c/shelters"):
        shown = site.get(path + query)
        carried = dict(re.findall(r'<input type="hidden" name="(via|from)" value="([^"]*)">', shown))
        form = JANE | {"email": f"jane{len(sources(site.db))}@example.org"} | carried
        assert site.client.post("/c/shelters/sign", data=form).status_code == 303
    assert sources(site.db) == [source, source]


def test_the_frame_names_a_few_of_many_offices_as_the_page_does(site: Site) -> None:
    with site.db.begin() as session:
        factories.campaign(session, slug="many", targets=9)
    page, frame = (re.search(r'<p class="kicker">(.*?)</p>', site.get(path)) for path in ("/c/many", "/embed/many"))
    assert page is not None
    assert frame is not None
    assert page[1] == frame[1]
    assert page[1].endswith("and 6 others")


def test_the_script_is_for_other_sites_and_every_other_file_is_not(site: Site) -> None:
    script = site.client.get("/embed.js")
    assert script.headers["cross-origin-resource-policy"] == "cross-origin"
    assert script.headers["content-type"].startswith("text/javascript")
    assert site.client.get("/static/outreach.js").headers["cross-origin-resource-policy"] == "same-origin"


def test_there_is_no_frame_for_a_campaign_that_is_not_there(site: Site) -> None:
    site.get("/embed/nowhere", 404)


def test_in_a_campaign_of_high_risk_the_frame_has_a_way_to_leave_at_once(site: Site) -> None:
    assert site.settings.exit_url not in site.get("/embed/shelters")
    with site.db.begin() as session:
        session.scalars(select(Campaign)).one().high_risk = True
    assert f'<a class="exit" href="{site.settings.exit_url}"' in site.get("/embed/shelters")
