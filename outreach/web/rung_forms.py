"""From the form of a follow-up's step to a rung, and back: every value kept, every error beside its field."""

from __future__ import annotations

import re
from datetime import timedelta

from outreach.domain.ladders import Trigger
from outreach.errors import BadInput
from outreach.ladders import NewRung
from outreach.models import Rung
from outreach.web.forms import FormState

#: The fields, in the order in which they stand on the page.
ORDER = ("trigger", "wait", "unit", "at", "zone", "purpose", "subject", "body")

#: Unit → its length in seconds. Seconds stand on the page only where a step waits some.
UNITS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
_LONGEST = timedelta(days=365)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_CONDITIONS = ("not_shared", "not_answered")


def empty(zone: str) -> FormState:
    """The form as it is first shown."""
    return FormState({"trigger": Trigger.LETTER_ACCEPTED, "wait": "0", "unit": "days", "zone": zone})


def filled(rung: Rung) -> FormState:
    """The form with all that a rung was added with."""
    unit = next(name for name, length in UNITS.items() if rung.wait_seconds % length == 0)
    values = {
        "trigger": rung.trigger.value,
        "wait": str(rung.wait_seconds // UNITS[unit]),
        "unit": unit,
        "at": rung.at_wall,
        "zone": rung.zone,
        "purpose": rung.purpose,
        "subject": rung.subject,
        "body": rung.body,
        **{name: "yes" for name in _CONDITIONS if rung.conditions.get(name)},
    }
    return FormState(values)


def rung(form: FormState) -> tuple[NewRung | None, dict[str, str]]:
    """The rung that the form asks for, or what is wrong with it by field."""
    text = {name: form.values.get(name, "").strip() for name in (*ORDER, *_CONDITIONS)}
    errors = dict[str, str]()
    if text["trigger"] not in set(Trigger):
        errors["trigger"] = "Choose what the step comes after."
    if text["unit"] not in UNITS:
        errors["unit"] = "Choose days, hours or minutes."
    typed = text["wait"] or "0"
    if not (typed.isascii() and typed.isdecimal() and len(typed) < 10):
        errors["wait"] = "Write a whole number, like 14."
    elif timedelta(seconds=int(typed) * UNITS.get(text["unit"], 0)) > _LONGEST:
        errors["wait"] = "A step waits for a year at most."
    if text["at"] and not _TIME.fullmatch(text["at"]):
        errors["at"] = "Write a time of day like 18:30, or leave it empty."
    for name, said in (("subject", "Write a subject."), ("body", "Write what its readers should know.")):
        if not text[name]:
            errors[name] = said
    if errors:
        return None, errors
    return NewRung(
        Trigger(text["trigger"]),
        text["subject"],
        form.values["body"],
        wait=timedelta(seconds=int(typed) * UNITS[text["unit"]]),
        at=text["at"],
        zone=text["zone"] or "UTC",
        conditions={name: True for name in _CONDITIONS if text[name]},
        purpose=text["purpose"],
    ), {}


def errors_of(error: BadInput) -> dict[str, str]:
    """What the ladder would not take, said beside its field."""
    part, _, line = error.where.partition(", ")
    name = part.removeprefix("mailing ")
    place = f"In {line}: " if line else ""
    return {name if name in ORDER else "body": f"{place}{error.message} {error.advice}".strip()}
