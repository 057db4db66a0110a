"""`outreach campaign …`: pages become campaigns; campaigns are shown, published and closed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from outreach import campaign_settings, campaigns, targets
from outreach.cli import base, campaign_set, campaign_texts, files, page_lines
from outreach.cli.base import Json
from outreach.domain import pages
from outreach.errors import BadPage, OutreachError
from outreach.languages import is_code
from outreach.models import Campaign

app = typer.Typer(help="Campaigns: import pages, publish, close.", no_args_is_help=True)
app.command("set")(campaign_set.set_)
app.command("link")(campaign_set.link)
app.add_typer(campaign_texts.app, name="texts")

Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The campaign's short name.")]
Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="Campaign pages, as plain text.")]


@app.command("import")
def import_(
    paths: Files,
    publish: Annotated[bool, typer.Option("--publish", help="Open the campaigns to signers at once.")] = False,
    slug: Annotated[str | None, typer.Option("--slug", help="Update this campaign, whatever the page's title.")] = None,
    language: Annotated[
        str | None, typer.Option("--language", help="The language of pages and letters, as in “es”; at first “en”.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read campaign pages as they stand and make a campaign of each, or bring it up to date.

    Each file is taken as a whole or not at all. Lines that cannot be placed are named, and kept in the story.
    """
    if slug and len(paths) > 1:
        raise typer.BadParameter("--slug goes with one file.")
    if language and not is_code(language):
        raise typer.BadParameter("--language takes the code of a language, as in “es” or “pt-BR”.")
    taken: list[dict[str, Any]] = []
    errors: list[OutreachError] = []
    changed = False
    with base.engine() as engine:
        for path in paths:
            try:
                page, campaign, is_change = _take(engine, path, slug, language, publish)
            except OutreachError as error:
                errors.append(_in_file(error, path))
                if not as_json:
                    base.err.print(f"outreach: {errors[-1]}", markup=False)
                continue
            changed |= is_change
            taken.append(_page_as_json(page, campaign))
            if not as_json:
                _print_page(path, page, campaign, is_change)
    if as_json:
        answer: dict[str, Any] = {"campaigns": taken, "changed": changed}
        if errors:
            answer |= {"error": errors[0].as_dict(), "errors": [error.as_dict() for error in errors]}
        base.emit(answer)
    if errors:
        raise typer.Exit(1)


def _take(
    engine: base.Engine, path: Path, slug: str | None, language: str | None, publish: bool
) -> tuple[pages.Page, Campaign, bool]:
    name = str(path)
    text = pages.decode(files.read(path, largest=pages.MAX_BYTES, wrong=BadPage), name=name)
    page = pages.read_page(text, name=name)
    source_hash = pages.fingerprint(text, name=name)
    campaigns.check_page(page)
    now = engine.now()
    with engine.db.begin() as session:
        taken = campaigns.take_page(
            session, page, source_hash=source_hash, slug=slug, language=language, now=now, actor="cli"
        )
        before = taken.campaign.state
        if publish:
            campaigns.publish(session, taken.campaign.slug, now=now, actor="cli")
        return page, taken.campaign, taken.changed or taken.campaign.state is not before


def _in_file(error: OutreachError, path: Path) -> OutreachError:
    """The error with the file's name in front, where it does not have it."""
    if not error.where.startswith(str(path)):
        error.where = f"{path}: {error.where}".rstrip(": ")
    return error


def _page_as_json(page: pages.Page, campaign: Campaign) -> dict[str, Any]:
    return {
        "slug": campaign.slug,
        "kind": page.kind,
        "state": campaign.state.value,
        "title": page.title,
        "targets": [{"name": one.name, "office": one.office} for one in page.targets],
        "opening": page.opening,
        "demands": list(page.demands),
        "sponsors": list(page.sponsors),
        "coalition": page.coalition,
        "story": page.story,
        "why": page.why,
        "asks": [
            {"title": ask.title, "text": ask.text, "link_label": ask.link_label, "link_url": ask.link_url}
            for ask in page.asks
        ],
        "call_to_act": page.call_to_act,
        "letter": _letter_as_json(page.letter) if page.letter else None,
        **page_lines.as_json(page),
    }


def _letter_as_json(letter: pages.Letter) -> dict[str, Any]:
    """The letter as the page has it: with the closing it ends in, and the line it is signed with."""
    return {
        "salutation": letter.salutation,
        "from": letter.signed,
        "body": "\n\n".join(part for part in (letter.body, letter.closing) if part),
        "merge_fields": list(letter.merge_fields),
    }


def _print_page(path: Path, page: pages.Page, campaign: Campaign, changed: bool) -> None:
    base.out.print(f"{path}: a {page.kind}, {campaign.slug}", markup=False)
    page_lines.show(page)
    unplaced = len(page.unplaced)
    if unplaced:
        lines = "1 line was" if unplaced == 1 else f"{unplaced} lines were"
        base.out.print(f"  {lines} not placed; kept in the story. Look at them before you publish.")
    state = campaign.state.value
    said = f"Imported; it is {state}." if changed else f"Nothing has changed; it is {state}."
    step = "" if state != "draft" else f" Publish it: outreach campaign publish {campaign.slug}"
    base.out.print(f"  {said}{step}\n", markup=False)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Name all campaigns, the newest first."""
    with base.engine() as engine, engine.db.read() as session:
        rows = [
            {**_brief(campaign), "targets": len(campaigns.targets_of(session, campaign))}
            for campaign in campaigns.listing(session)
        ]
    if as_json:
        base.emit({"campaigns": rows})
        return
    if not rows:
        base.out.print("No campaigns yet. Make one: outreach campaign import FILE", markup=False)
    for row in rows:
        plural = "" if row["targets"] == 1 else "s"
        base.row(row["slug"], row["kind"], row["state"], f"{row['targets']} target{plural}", row["title"])


def _brief(campaign: Campaign) -> dict[str, Any]:
    return {
        "slug": campaign.slug,
        "kind": campaign.kind.value,
        "state": campaign.state.value,
        "title": campaign.title,
        "hold_for_waves": bool(campaign.hold_for_waves),
        "created_at": campaign.created_at,
        "published_at": campaign.published_at,
        "closed_at": campaign.closed_at,
    }


@app.command()
def show(slug: Slug, as_json: Json = False) -> None:
    """Show a campaign: its texts, its letter, and for each target whether letters can leave."""
    with base.engine() as engine, engine.db.read() as session:
        campaign = campaigns.find(session, slug)
        letter = campaigns.letter_of(session, campaign)
        reached = targets.listing(session, campaign)
        shown = {
            **_brief(campaign),
            "settings": campaign_settings.settings_of(campaign),
            "opening": campaign.opening,
            "demands": [demand.text for demand in campaign.demands],
            "asks": [{"title": ask.title, "text": ask.text} for ask in campaign.asks],
            "story": campaign.story,
            "why": campaign.why,
            "call_to_act": campaign.call_to_act,
            "coalition": campaign.coalition,
            "sponsors": [sponsorship.organisation.name for sponsorship in campaign.sponsorships],
            "targets": [
                {
                    "id": one.target.id,
                    "name": one.target.name,
                    "office": one.target.office,
                    "email": one.contact.value if one.contact else None,
                    "usable": one.is_usable,
                    "held": one.held_because,
                }
                for one in reached
            ],
            "letter": {
                "version": letter.number,
                "subject": letter.subject,
                "header": letter.header,
                "body": letter.body,
                "footer": letter.footer,
            },
        }
    if as_json:
        base.emit(shown)
    else:
        _print_campaign(shown)


def _print_campaign(shown: dict[str, Any]) -> None:
    waits = ", its letters wait for waves" if shown["hold_for_waves"] else ""
    lines = [f"{shown['title']}", f"{shown['slug']}: a {shown['kind']}, {shown['state']}{waits}", ""]
    for one in shown["targets"]:
        way = f"held: {one['held']}" if one["held"] else f"by email to {one['email']}"
        lines.append(f"  target {one['id']}  {one['office']} {one['name']}".rstrip() + f"  {way}")
    lines += [f"  demand {n}  {text}" for n, text in enumerate(shown["demands"], 1)]
    lines += [f"  ask  {ask['title']}" for ask in shown["asks"]]
    lines += [f"  sponsor  {name}" for name in shown["sponsors"]]
    letter = shown["letter"]
    lines += ["", f"Letter, version {letter['version']}: {letter['subject']}", ""]
    words = "\n\n".join(part for part in (letter["header"], letter["body"], letter["footer"]) if part)
    lines += [f"  {row}".rstrip() for row in words.split("\n")]
    base.out.print("\n".join(lines), markup=False)


@app.command()
def publish(
    slug: Slug,
    hold_for_waves: Annotated[
        bool, typer.Option("--hold-for-waves", help="Keep confirmed letters back for waves that you plan.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Open a campaign to signers. Publishing twice changes nothing."""
    with base.engine() as engine, engine.db.begin() as session:
        campaign = campaigns.publish(session, slug, hold_for_waves=hold_for_waves, now=engine.now(), actor="cli")
        held = [one for one in targets.listing(session, campaign) if not one.is_usable]
        address = f"{engine.settings.base_url}/c/{campaign.slug}"
    if as_json:
        base.emit({**_brief(campaign), "url": address, "held_targets": [one.target.id for one in held]})
        return
    base.out.print(f"{campaign.slug} is published: {address}", markup=False)
    for one in held:
        label = f"{one.target.office} {one.target.name}".strip()
        base.out.print(f"  Letters to {label} are held: {one.held_because}", markup=False)


@app.command()
def close(slug: Slug, as_json: Json = False) -> None:
    """Take no more signatures. Letters that were confirmed still leave."""
    with base.engine() as engine, engine.db.begin() as session:
        campaign = campaigns.close(session, slug, now=engine.now(), actor="cli")
    if as_json:
        base.emit(_brief(campaign))
    else:
        base.out.print(f"{campaign.slug} is closed.", markup=False)
