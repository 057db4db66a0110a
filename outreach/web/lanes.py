"""The staff's page of lanes: what waits for which mailbox, at which pace it leaves, and what can be paused."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from outreach import dashboards, forecasts
from outreach.models import Role
from outreach.web.pages import db_of, now_of, settings_of
from outreach.web.sessions import door, inside

router = APIRouter(prefix="/staff/lanes", include_in_schema=False, route_class=door(Role.STAFF))


@router.get("")
def lanes(request: Request) -> Response:
    """Every lane in which something waits, the fullest first; and the campaigns it is of."""
    settings = settings_of(request)
    with db_of(request).read() as session:
        scopes = frozenset(brake.scope for brake in dashboards.brakes_now(session))
        rows = dashboards.lanes_waiting(session, scopes)
        foreseen = {
            row.id: forecasts.of_lane(session, row.lane, now=now_of(request), settings=settings) for row in rows
        }
        campaigns = dashboards.campaigns_waiting(session, scopes)
    return inside(
        request, "staff/lanes.html", lanes=rows, foreseen=foreseen, campaigns=campaigns, most=dashboards.MOST_LANES
    )
