"""`outreach wave …`: whom to write to, what, when; and how to stop it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from sqlalchemy.orm import Session

from outreach import campaigns, waves
from outreach.cli import base, files
from outreach.cli.base import Json
from outreach.domain.audiences import Audience
from outreach.domain.waves import WaveKind
from outreach.embedded import broker_url
from outreach.errors import BadInput, OutreachError
from outreach.models import Wave
from outreach.wake import ring
from outreach.waves import Count, Draft, Preview, Progress

app = typer.Typer(help="Waves: plan, start, pause, resume, cancel.", no_args_is_help=True)

WaveId = Annotated[int, typer.Argument(metavar="ID", help="The number that `wave list` shows.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; people will read it.")]

_LONGEST_BODY = 200_000


@app.command()
def plan(
    campaign: Annotated[str, typer.Option("--campaign", metavar="SLUG", help="The campaign.")],
    kind: Annotated[WaveKind, typer.Option("--kind", help="Letters to targets, or a mailing to signers.")],
    name: Annotated[str, typer.Option("--name", help="What people call it.")] = "",
    start: Annotated[str, typer.Option("--start", help='now, or "YYYY-MM-DD HH:MM" in --zone.')] = "now",
    by: Annotated[str, typer.Option("--by", help='When it should have ended: "YYYY-MM-DD HH:MM"; a wish.')] = "",
    zone: Annotated[str, typer.Option("--zone", help="IANA time zone of all its times.")] = "",
    per_hour: Annotated[int | None, typer.Option("--per-hour", help="At most so many an hour.")] = None,
    hours: Annotated[str, typer.Option("--hours", help="08:00-18:00, or always.")] = "always",
    days: Annotated[str, typer.Option("--days", help="mon-fri, all, or mon,wed.")] = "all",
    curve: Annotated[str, typer.Option("--curve", help="24 weights, one for each hour: 0,0,…,3,2,1.")] = "",
    undo: Annotated[int | None, typer.Option("--undo", metavar="SECONDS", help="Time to think again.")] = None,
    max_late: Annotated[
        int, typer.Option("--max-late", metavar="SECONDS", help="Later than this it waits for a person.")
    ] = 3600,
    canary: Annotated[int | None, typer.Option("--canary", help="So many go first; 0 is all at once.")] = None,
    place: Annotated[str, typer.Option("--place", help="Only of this city, or postal codes that begin so.")] = "",
    language: Annotated[str, typer.Option("--language", help="Only signers who read this language.")] = "",
    source: Annotated[str, typer.Option("--source", help="Only signers who came by this sponsor or source.")] = "",
    own_words: Annotated[str, typer.Option("--own-words", help="yes: only those with own words; no: without.")] = "",
    since_last_wave: Annotated[
        bool, typer.Option("--since-last-wave", help="Only who confirmed after the last wave began.")
    ] = False,
    subject: Annotated[str, typer.Option("--subject", help="Of a mailing.")] = "",
    body_file: Annotated[Path | None, typer.Option("--body-file", help="The text of a mailing.")] = None,
    purpose: Annotated[str, typer.Option("--purpose", help="What its readers must have agreed to.")] = "updates",
    as_json: Json = False,
) -> None:
    """Write down a wave and show whom it would reach. Nothing leaves before `wave start`."""
    draft = Draft(
        campaign,
        kind,
        audience=Audience(place, language, source, _yes_or_no(own_words), since_last_wave),
        name=name,
        start=start,
        by=by,
        zone=zone,
        per_hour=per_hour,
        hours=hours,
        days=days,
        curve=_weights(curve),
        undo_seconds=undo,
        max_late_seconds=max_late,
        canary=canary,
        subject=subject,
        body=_text(body_file) if body_file else "",
        purpose=purpose,
        language=language or "en",
    )
    with base.engine() as engine:
        now = engine.now()
        waves.check(draft)
        with engine.db.begin() as session:
            wave = waves.plan(session, draft, settings=engine.settings, now=now, actor="cli")
        seen = _look(engine, wave, now)
        with engine.db.read() as session:
            counts = waves.audience_counts(session, wave, settings=engine.settings, now=now)
            shown = waves.progress(session, wave, counts=counts, settings=engine.settings, now=now)
    notes = waves.times_said(wave)
    if as_json:
        base.emit(_planned_as_dict(shown, counts, notes, seen))
        return
    _tell(shown)
    _tell_counts(counts)
    for note in notes:
        _say(f"Note: {note}")
    if seen and wave.kind is WaveKind.MAILING:
        _tell_preview(seen)
    _say(f"Start it: outreach wave start {wave.id}")


def _look(engine: base.Engine, wave: Wave, now: datetime) -> Preview | None:
    """Its first mail, as far as there is anybody to write to. Showing it to whoever plans is the look it needs."""
    try:
        with engine.db.begin() as session:
            return waves.preview(session, wave.id, settings=engine.settings, keys=engine.keys, now=now)
    except OutreachError:
        return None  # what is in the way, `start` says


def _planned_as_dict(shown: Progress, counts: list[Count], notes: list[str], seen: Preview | None) -> dict[str, Any]:
    return {
        **shown.as_dict(),
        "counts": [{"label": one.label, "n": one.n, "words": one.words} for one in counts],
        "notes": notes,
        "preview": {"to": seen.to, "subject": seen.subject, "text": seen.text} if seen else None,
    }


def _yes_or_no(text: str) -> bool | None:
    if text not in ("", "yes", "no"):
        raise BadInput(f"“{text[:20]}” is neither yes nor no.", where="own-words", advice="Write yes or no.")
    return {"yes": True, "no": False}.get(text)


def _weights(text: str) -> list[int] | None:
    if not text:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise BadInput("A curve is 24 whole numbers.", where="curve", advice="Separate them by commas.") from None


def _text(path: Path) -> str:
    try:
        return files.read(path, largest=_LONGEST_BODY, wrong=BadInput).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput("The file is not UTF-8 text.", where=str(path), advice="Save it as UTF-8.") from None


@app.command()
def preview(wave_id: WaveId, as_json: Json = False) -> None:
    """Show the first mail of a wave as it would leave. A mailing has to be looked at before it starts."""
    with base.engine() as engine, engine.db.begin() as session:
        seen = waves.preview(session, wave_id, settings=engine.settings, keys=engine.keys, now=engine.now())
    if as_json:
        base.emit({"id": wave_id, "to": seen.to, "subject": seen.subject, "text": seen.text})
    else:
        _tell_preview(seen)


@app.command()
def start(
    wave_id: WaveId,
    at_once: Annotated[bool, typer.Option("--now", help="Leave its planned time aside.")] = False,
    undo: Annotated[int | None, typer.Option("--undo", metavar="SECONDS", help="Time to think again.")] = None,
    as_json: Json = False,
) -> None:
    """Start a wave: after its undo window, or at its own time if that is later."""

    def verb(session: Session, engine: base.Engine, now: datetime) -> Wave:
        return waves.start(
            session, wave_id, settings=engine.settings, now=now, actor="cli", at_once=at_once, undo_seconds=undo
        )

    _act(verb, as_json=as_json)


@app.command()
def undo(wave_id: WaveId, as_json: Json = False) -> None:
    """Take back a start while nothing has left: it is a draft again."""
    _act(lambda session, _, now: waves.undo(session, wave_id, now=now, actor="cli"), as_json=as_json)


@app.command()
def pause(wave_id: WaveId, reason: Reason = "", as_json: Json = False) -> None:
    """Stop a wave. What is in the air lands; nothing new leaves."""
    _act(lambda session, _, now: waves.pause(session, wave_id, reason=reason, now=now, actor="cli"), as_json=as_json)


@app.command()
def resume(wave_id: WaveId, as_json: Json = False) -> None:
    """Let a paused wave go on."""
    _act(lambda session, _, now: waves.resume(session, wave_id, now=now, actor="cli"), as_json=as_json)


@app.command()
def cancel(wave_id: WaveId, reason: Reason = "", as_json: Json = False) -> None:
    """Call a wave off for good. What has not left is cancelled."""
    _act(lambda session, _, now: waves.cancel(session, wave_id, reason=reason, now=now, actor="cli"), as_json=as_json)


def _act(verb: Callable[[Session, base.Engine, datetime], Wave], *, as_json: bool) -> None:
    with base.engine() as engine:
        now = engine.now()
        with engine.db.begin() as session:
            wave = verb(session, engine, now)
        waves.tidy(engine.db, wave.id, now=now)
        ring(broker_url(engine.settings), "outreach.plan")
        _show(engine, wave.id, as_json=as_json)


@app.command()
def status(wave_id: WaveId, as_json: Json = False) -> None:
    """Show where a wave is: its deliveries by state, its forecast, and why it stands still if it does."""
    with base.engine() as engine:
        _show(engine, wave_id, as_json=as_json, counts=True)


@app.command()
def forecast(wave_id: WaveId, as_json: Json = False) -> None:
    """Show when a wave begins and ends, from the rules that pace it."""
    with base.engine() as engine:
        _show(engine, wave_id, as_json=as_json)


def _show(engine: base.Engine, wave_id: int, *, as_json: bool, counts: bool = False) -> None:
    now = engine.now()
    with engine.db.read() as session:
        wave = waves.find(session, wave_id)
        has_begun = wave.started_at is not None
        reached = [] if has_begun else waves.audience_counts(session, wave, settings=engine.settings, now=now)
        shown = waves.progress(session, wave, counts=reached, settings=engine.settings, now=now)
    if as_json:
        base.emit(shown.as_dict())
        return
    _tell(shown)
    if counts:
        _tell_counts(reached)


@app.command("list")
def list_(
    campaign: Annotated[str | None, typer.Option("--campaign", metavar="SLUG", help="Only this campaign's.")] = None,
    as_json: Json = False,
) -> None:
    """Name all waves: first those that are not over, the newest first."""
    with base.engine() as engine, engine.db.read() as session:
        now = engine.now()
        found = campaigns.find(session, campaign) if campaign else None
        rows = [
            waves.progress(session, wave, settings=engine.settings, now=now) for wave in waves.listing(session, found)
        ]
    if as_json:
        base.emit({"waves": [row.as_dict() for row in rows]})
        return
    if not rows:
        _say("No waves yet. Plan one: outreach wave plan --campaign SLUG --kind letters")
        return
    table = Table("id", "campaign", "kind", "state", "done", "of", "name")
    for row in rows:
        done = row.total - sum(row.states[state] for state in ("held", "queued", "claimed", "sending", "in_doubt"))
        table.add_row(f"{row.id}", row.campaign, row.kind, _words(row.state), f"{done:,}", f"{row.total:,}", row.name)
    base.out.print(table)


# ---- words -----------------------------------------------------------------------------------------------------------


def _say(line: str) -> None:
    base.out.print(line, markup=False)


def _words(state: str) -> str:
    return state.replace("_", " ")


def _at(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else "not known yet"


def _tell(shown: Progress) -> None:
    _say(f"Wave {shown.id} of {shown.campaign}: {shown.kind}, {_words(shown.state)}. For {shown.audience}.")
    if shown.reason:
        _say(f"  {shown.reason}")
    if shown.state == "starting" and shown.go_at:
        _say(f"  Nothing leaves before {_at(shown.go_at)}. Take it back until then: outreach wave undo {shown.id}")
    if shown.total and shown.state not in ("draft", "scheduled", "starting"):
        parts = [f"{n:,} {_words(state)}" for state, n in shown.states.items() if n]
        _say(f"  {shown.total:,} deliveries: {', '.join(parts)}")
    if shown.phase != "full" and shown.state == "sending":
        _say(f"  It is in its {shown.phase} phase: the rest goes once these have been looked at.")
    if shown.finish_low or shown.finish_high:
        _say(f"  Begins {_at(shown.start)}, ends between {_at(shown.finish_low)} and {_at(shown.finish_high)}.")
    if shown.words:
        _say(f"  {shown.words}")


def _tell_counts(counts: list[Count]) -> None:
    for n, one in enumerate(counts):
        if one.n or n in (0, len(counts) - 1):
            sign = " " if n == 0 else "=" if n == len(counts) - 1 else "−"
            _say(f"  {sign} {one.n:9,}  {one.words}")


def _tell_preview(seen: Preview) -> None:
    _say(f"\nTo: {seen.to}\nSubject: {seen.subject}\n\n{seen.text}")
