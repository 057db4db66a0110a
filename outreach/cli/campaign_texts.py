"""`outreach campaign texts …`: a campaign's page in further languages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outreach import campaign_texts, campaigns
from outreach.cli import base, files, page_lines
from outreach.cli.base import Json
from outreach.domain import pages
from outreach.errors import BadPage

app = typer.Typer(help="A campaign's page in further languages.", no_args_is_help=True)

Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The campaign's short name.")]
Code = Annotated[str, typer.Option("--language", help="The language, as in “es”.")]


@app.command("import")
def import_(
    slug: Slug,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The page in that language, as plain text.")],
    language: Code,
    as_json: Json = False,
) -> None:
    """Read a page as `campaign import` does and show it to who reads that language. Its letter, if it has one, is
    not taken: letters go out in the campaign's own language."""
    text = pages.decode(files.read(path, largest=pages.MAX_BYTES, wrong=BadPage), name=str(path))
    page = pages.read_page(text, name=str(path))
    with base.engine() as engine, engine.db.begin() as session:
        changed = campaign_texts.take(session, slug, page, language=language, now=engine.now(), actor="cli")
    if as_json:
        base.emit({"slug": slug, "language": language, "changed": changed, **page_lines.as_json(page)})
        return
    page_lines.show(page)
    base.out.print(f"{slug} reads {language} now." if changed else "Nothing has changed.")


@app.command("list")
def list_(slug: Slug, as_json: Json = False) -> None:
    """The languages of a campaign's page. A text that lacks a part the page has now is not shown."""
    with base.engine() as engine, engine.db.read() as session:
        found = campaign_texts.listing(session, campaigns.find(session, slug))
        for text, is_whole in found:
            if as_json:
                base.emit({"language": text.language, "title": text.title, "shown": is_whole})
            else:
                base.row(text.language, text.title, "shown" if is_whole else "not shown: the page has changed")


@app.command("remove")
def remove(slug: Slug, language: Code, as_json: Json = False) -> None:
    """Take a text away; the page is shown in the campaign's own language again."""
    with base.engine() as engine, engine.db.begin() as session:
        campaign_texts.remove(session, slug, language=language, now=engine.now(), actor="cli")
    if as_json:
        base.emit({"slug": slug, "language": language, "changed": True})
    else:
        base.out.print(f"{slug} has no text in {language} any more.")
