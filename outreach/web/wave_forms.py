"""From the form that plans a wave to a draft, and back: every value kept, every error beside its field."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from zoneinfo import available_timezones

from outreach.domain.audiences import Audience
from outreach.domain.waves import WaveKind
from outreach.errors import BadInput
from outreach.models import Mailing, Wave
from outreach.settings import Settings
from outreach.waves import Draft
from outreach.web.forms import FormState
from outreach.web.wave_words import DAYS

#: The fields, in the order in which they stand on the page.
ORDER = (
    "place",
    "language",
    "source",
    "own_words",
    "subject",
    "body",
    "start_day",
    "start_time",
    "zone",
    "by_day",
    "by_time",
    "per_hour",
    "opens",
    "closes",
    "mon",
    "canary",
    "undo",
    "max_late",
    "curve",
    "name",
)
#: Those that stand folded together at the end of the page.
RARE = ("canary", "undo", "max_late", "curve", "name")

#: What errors of planning call a field, where the form calls it otherwise.
_FIELDS = {
    "start": "start_day",
    "by": "by_day",
    "per-hour": "per_hour",
    "days": "mon",
    "max-late": "max_late",
    "mailing": "body",
}
_AREAS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
_OWN_WORDS: dict[bool | None, str] = {None: "", True: "yes", False: "no"}
_MINUTE = 60


@lru_cache(maxsize=1)
def zones() -> tuple[str, ...]:
    """The names of all time zones, to choose from."""
    return ("UTC", *sorted(zone for zone in available_timezones() if zone.startswith(_AREAS)))


def empty(settings: Settings) -> FormState:
    """The form as it is first shown: begin at once, at any hour, with the engine's settings."""
    return FormState(
        {
            "when": "now",
            "zone": settings.zone,
            "canary": str(settings.canary),
            "undo": str(settings.undo_seconds),
            "max_late": "60",
            **dict.fromkeys(DAYS, "yes"),
        }
    )


def audience(form: FormState) -> Audience:
    """Who is asked for; BadInput when that cannot be."""
    text = _text(form)
    return Audience(
        place=text("place"),
        language=text("language"),
        source=text("source"),
        own_words=next((asked for asked, word in _OWN_WORDS.items() if word == text("own_words")), None),
        since_last_wave=bool(text("since_last_wave")),
    )


def draft(form: FormState, *, slug: str, kind: WaveKind, language: str) -> tuple[Draft | None, dict[str, str]]:
    """The draft that the form asks for, or what is wrong with it by field."""
    text, errors = _text(form), dict[str, str]()

    def whole(name: str) -> int | None:
        value = text(name)
        if not value:
            return None
        if value.isascii() and value.isdecimal() and len(value) < 10:
            return int(value)
        errors[name] = "Write a whole number, like 30."
        return None

    try:
        asked = audience(form)
    except BadInput as error:
        errors[error.where] = error.message
        asked = Audience()
    if kind is WaveKind.MAILING:
        for name, said in (("subject", "Write a subject."), ("body", "Write what its readers should know.")):
            if not text(name):
                errors[name] = said
    max_late = whole("max_late")
    made = Draft(
        slug,
        kind,
        audience=asked,
        name=text("name"),
        start=_start(form, errors),
        by=_wall(form, "by", errors),
        zone=text("zone"),
        per_hour=whole("per_hour"),
        hours=_hours(form, errors),
        days=_days(form, errors),
        curve=_curve(form, errors),
        undo_seconds=whole("undo"),
        max_late_seconds=60 * _MINUTE if max_late is None else max_late * _MINUTE,
        canary=whole("canary"),
        subject=text("subject") if kind is WaveKind.MAILING else "",
        body=form.values.get("body", "") if kind is WaveKind.MAILING else "",
        language=asked.language or language,
    )
    return (None if errors else made), errors


def errors_of(error: BadInput) -> dict[str, str]:
    """What planning would not take, said beside its field."""
    part, _, line = error.where.partition(", ")
    name = part.removeprefix("mailing ")
    if name == "hours":
        return {"opens": "These hours cannot be: they have to begin before they end, on the same day."}
    place = f"In {line}: " if line else ""
    return {_FIELDS.get(name, name): f"{place}{error.message} {error.advice}".strip()}


def filled(wave: Wave, mailing: Mailing | None) -> FormState:
    """The form with all that a wave was planned with."""
    asked = Audience.from_json(wave.audience or {})
    opens, _, closes = (wave.hours or "").partition("-")
    start, by = wave.start_wall.split(" "), wave.by_wall.split(" ")
    values = {
        "place": asked.place,
        "language": asked.language,
        "source": asked.source,
        "own_words": _OWN_WORDS[asked.own_words],
        "since_last_wave": "yes" if asked.since_last_wave else "",
        "subject": mailing.subject if mailing else "",
        "body": mailing.body if mailing else "",
        "when": "later" if wave.start_wall else "now",
        "start_day": start[0],
        "start_time": start[-1] if wave.start_wall else "",
        "by_day": by[0],
        "by_time": by[-1] if wave.by_wall else "",
        "zone": wave.zone,
        "per_hour": str(wave.per_hour or ""),
        "opens": opens,
        "closes": closes,
        "canary": str(wave.canary),
        "undo": str(wave.undo_seconds),
        "max_late": str(wave.max_late_seconds // _MINUTE),
        "curve": ",".join(map(str, wave.curve or ())),
        "name": wave.name,
        **{day: "yes" if _is_on(day, wave.days) else "" for day in DAYS},
    }
    return FormState(values)


def _is_on(day: str, days: str) -> bool:
    if days == "all":
        return True
    first, _, last = days.partition("-")
    order = list(DAYS)
    if last:
        return order.index(first) <= order.index(day) <= order.index(last)
    return day in days.split(",")


def _text(form: FormState) -> Callable[[str], str]:
    return lambda name: form.values.get(name, "").strip()


def _start(form: FormState, errors: dict[str, str]) -> str:
    if form.values.get("when") != "later":
        return "now"
    given = _wall(form, "start", errors)
    if not given and "start_day" not in errors:
        errors["start_day"] = "Give the day on which it should begin, or choose to begin as soon as you start it."
    return given


def _wall(form: FormState, which: str, errors: dict[str, str]) -> str:
    """A day and a time of day as one wall time; "" when neither is given."""
    text = _text(form)
    day, time = text(f"{which}_day"), text(f"{which}_time")
    if day and not time:
        errors[f"{which}_time"] = "Give the time of day, too."
    elif time and not day:
        errors[f"{which}_day"] = "Give the day, too."
    return f"{day} {time}" if day and time else ""


def _hours(form: FormState, errors: dict[str, str]) -> str:
    text = _text(form)
    opens, closes = text("opens"), text("closes")
    if opens and not closes:
        errors["closes"] = "Give the hour until which it may leave, too."
    elif closes and not opens:
        errors["opens"] = "Give the hour from which it may leave, too."
    return f"{opens}-{closes}" if opens and closes else "always"


def _days(form: FormState, errors: dict[str, str]) -> str:
    chosen = [day for day in DAYS if form.values.get(day)]
    if not chosen:
        errors["mon"] = "Choose at least one day of the week."
    return "all" if len(chosen) == len(DAYS) else ",".join(chosen)


def _curve(form: FormState, errors: dict[str, str]) -> list[int] | None:
    parts = [part.strip() for part in form.values.get("curve", "").split(",")]
    if parts == [""]:
        return None
    if not all(part.isascii() and part.isdecimal() and len(part) < 6 for part in parts):
        errors["curve"] = "Write 24 whole numbers with commas between them."
        return None
    return [int(part) for part in parts]
