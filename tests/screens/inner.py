"""The pages of organizers and staff, as somebody of the staff sees them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from outreach import accounts
from outreach.models import Role
from tests import factories
from tests.journeys.post_office import BUS, HEAT
from tests.screens.camera import Camera
from tests.screens.furnishing import Town

_ADDRESSES = {
    "console": "/console",
    "console-campaign": f"/console/campaigns/{HEAT}",
    "console-settings": f"/console/campaigns/{BUS}/settings",
    "console-replies": f"/console/campaigns/{BUS}/replies",
    "console-follow-ups": f"/console/campaigns/{BUS}/follow-ups",
    "console-waves": "/console/waves",
    "console-plan-a-wave": f"/console/campaigns/{HEAT}/waves/new?kind=mailing",
    "staff-queue": "/staff",
    "staff-deliveries": "/staff/deliveries",
    "staff-failures": "/staff/failures",
    "staff-lanes": "/staff/lanes",
    "staff-limits": "/staff/budgets",
    "staff-suspects": "/staff/suspects",
    "staff-pause": "/staff/pause?scope=all",
    "mailbox": "/dev/mail",
}
#: Pixels: a long table goes on as it begins.
_TALL = 1100
#: Made for the pictures, see `furnishing`.
_MADE = {"console-wave": "wave", "console-reply": "reply", "staff-delivery": "delivery"}


def walk(camera: Camera, town: Town) -> None:
    """Sign in, then a picture of each."""
    site = town.site
    camera.take("sign-in", "/sign-in")
    with site.db.begin() as session:
        user = factories.user(session, name="Ana Ortiz", role=Role.STAFF)
        url = accounts.sign_in_link(session, user, keys=town.people.keys, settings=site.settings, now=datetime.now(UTC))
    camera.page.goto(url)
    camera.page.get_by_role("button", name="Sign in").click()
    camera.page.wait_for_url(re.compile("/(staff|console)$"))
    for name, path in (_ADDRESSES | {name: town.paths[made] for name, made in _MADE.items()}).items():
        camera.page.goto(site.url + path)  # the queue listens for news, and is never idle
        camera.take(name, tall=_TALL)
    camera.go("/staff/people").get_by_label("Email address").fill("amina-keep@example.org")
    camera.page.get_by_role("button", name="See what we hold").click()
    camera.page.get_by_role("table").first.wait_for()
    camera.take("staff-person", tall=_TALL)
    newest = camera.page.request.get(f"{site.url}/dev/mail").text()
    mail = re.search(r'href="(/dev/mail/[^"?]+)"', newest)
    assert mail is not None
    camera.take("mail", mail[1])
