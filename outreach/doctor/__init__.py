"""`outreach doctor`: is everything as it must be before mail leaves, and what to do where it is not.

findings.py   what a look comes to
machine.py    settings, versions, disk, clock
servers.py    database, migrations, redis, the processes that should be alive
way_out.py    the transport, and what the world's name servers say about our sender domains
"""

from __future__ import annotations

from outreach.doctor.findings import Finding, Verdict
from outreach.doctor.machine import look_at_machine, look_at_settings
from outreach.doctor.servers import look_at_servers
from outreach.doctor.way_out import LookUp, look_at_domains, look_at_transport, look_up
from outreach.settings import Settings

__all__ = ["Finding", "Verdict", "examine"]


def examine(settings: Settings, *, online: bool = False, names: LookUp = look_up) -> list[Finding]:
    """Look at everything; a few seconds at most. `online` also asks the provider whether it takes our key."""
    return [
        *look_at_settings(settings),
        *look_at_machine(settings),
        *look_at_servers(settings),
        *look_at_transport(settings, online=online),
        *look_at_domains(settings, names),
    ]
