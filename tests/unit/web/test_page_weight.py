"""What a phone on a slow line has to fetch for the page that signs, and from whom."""

from __future__ import annotations

import gzip
import hashlib
import json
import re

import pytest
from starlette.testclient import TestClient

from outreach.models import Campaign, CampaignKind
from outreach.web.pages import STATIC
from tests import factories
from tests.unit.web.conftest import Client

VENDOR = STATIC / "vendor"
LARGEST = 60_000  # bytes, compressed, without fonts


@pytest.fixture
def pages(client_of: Client) -> TestClient:
    client = client_of()
    with client.app.state.db.begin() as session:  # type: ignore[attr-defined]
        for kind in CampaignKind:
            campaign: Campaign = factories.campaign(
                session, slug=kind.value, kind=kind, targets=2, body="A sentence of the letter. " * 150
            )
            campaign.story = "A sentence of the story that the campaign tells. " * 150
            campaign.edit_body = campaign.edit_subject = True
    return client


@pytest.mark.parametrize("kind", list(CampaignKind))
def test_the_page_that_signs_is_light_and_asks_nobody_else(pages: TestClient, kind: CampaignKind) -> None:
    html = pages.get(f"/c/{kind}").text
    parts = re.findall(r'<(?:link|script|img)\b[^>]*?(?:href|src)="([^"]+)"', html)
    assert parts
    assert all(path.startswith("/") and not path.startswith("//") for path in parts)
    weight = len(gzip.compress(html.encode())) + sum(len(gzip.compress(pages.get(path).content)) for path in parts)
    assert weight < LARGEST, f"{weight:,} bytes"
    assert re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|javascript:", html) is None


def test_public_pages_travel_compressed_and_pages_with_secrets_do_not(pages: TestClient) -> None:
    assert pages.get("/c/letter").headers["content-encoding"] == "gzip"
    assert pages.get("/static/outreach.css").headers["content-encoding"] == "gzip"
    assert "content-encoding" not in pages.get("/confirm/whatever").headers
    assert "content-encoding" not in pages.get("/sign-in").headers


def test_every_file_of_others_is_the_one_that_was_looked_at() -> None:
    known = {row["file"]: row for row in json.loads((VENDOR / "VENDOR.json").read_text())}
    there = {str(p.relative_to(VENDOR)) for p in VENDOR.rglob("*") if p.is_file()}
    assert there - known.keys() <= {"VENDOR.json"} | {str(p.relative_to(VENDOR)) for p in VENDOR.rglob("LICENSE*")}
    for name, row in known.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == row["sha256"], name
        assert (VENDOR / name).parent.joinpath("LICENSE").is_file(), name
        assert row.keys() == {"name", "version", "file", "sha256", "licence"}
