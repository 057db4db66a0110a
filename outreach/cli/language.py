"""`outreach language …`: what signers are spoken to in, and how whole each language is."""

from __future__ import annotations

from typing import Annotated

import typer

from outreach import translating
from outreach.cli.base import Json, emit, out, row
from outreach.languages import SOURCE, languages

app = typer.Typer(help="The languages of the pages and mails that signers see.", no_args_is_help=True)

Code = Annotated[str, typer.Argument(help="The language, as in “pt” or “pt-BR”.")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Every language there is, and how many of its messages are not translated yet."""
    for each in languages():
        lacks = 0 if each.code == SOURCE else len(translating.lacking(each.code))
        if as_json:
            emit({"code": each.code, "name": each.name, "direction": each.direction, "lacking": lacks})
        else:
            row(each.code, each.name, each.direction, f"{lacks:,} not translated" if lacks else "complete")


@app.command()
def check(code: Code, as_json: Json = False) -> None:
    """What a language lacks: messages that are not translated, or that hold other placeholders or tags."""
    lacks = translating.lacking(code)
    if as_json:
        found = [{"message": lack.message, "why": lack.why} for lack in lacks]
        emit({"code": code, "complete": not lacks, "lacking": found})
    else:
        for lack in lacks:
            row(lack.why, lack.message)
        out.print(f"{code} lacks {len(lacks):,} messages." if lacks else f"{code} is complete.")
    raise typer.Exit(1 if lacks else 0)


@app.command()
def update(code: Code, as_json: Json = False) -> None:
    """Bring a language's file up to date, or begin one: new messages stand in it empty, for a translator to fill in."""
    path = translating.update(code)
    if as_json:
        emit({"code": code, "path": str(path)})
    else:
        out.print(f"Written: {path}. Fill in each msgstr, then see `outreach language check {code}`.", markup=False)
