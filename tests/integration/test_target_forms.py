"""Web forms of offices that take no mail."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select

from outreach import target_forms
from outreach.errors import BadInput
from outreach.models import AuditEntry, Contact, Database
from tests import factories

FORM = "https://mayor.example.org/contact?topic=transit"


def test_a_form_replaces_the_one_before_it_and_can_be_taken_away(db: Database, now: datetime) -> None:
    with db.begin() as session:
        target = factories.target(session, email=None)
        for url in (FORM, FORM, "https://new.example.org/", ""):
            target_forms.set_form(session, target, url, now=now, actor="test")
            assert target_forms.form_of(session, target) == url
        assert [c.ended_at for c in session.scalars(select(Contact))] == [now, now]
        noted = session.scalars(select(AuditEntry.after).order_by(AuditEntry.id)).all()
        assert noted == [{"form": FORM}, {"form": "https://new.example.org/"}, {"form": ""}]


@pytest.mark.parametrize(
    "typed", ["javascript:alert(1)", "data:text/html,x", "/contact", "https://", "https://u:p@example.org", "a b", ""]
)
def test_threat_b12_only_the_address_of_a_web_page_is_taken(typed: str) -> None:
    with pytest.raises(BadInput, match="not the address of a web page"):
        target_forms.checked_form(typed)


def test_a_web_address_is_taken_as_it_is_and_none_takes_it_away() -> None:
    assert target_forms.checked_form(f" {FORM} ") == FORM
    assert target_forms.checked_form("None") == ""
