"""`outreach letter …`: what a letter may hold, and whether a template file holds only that."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from outreach.cli import files
from outreach.cli.base import Json, emit, out
from outreach.domain.letters import MERGE_FIELDS
from outreach.errors import BadInput
from outreach.merge import LetterForm, check_letter, samples

app = typer.Typer(help="What letters may hold, and whether a template is fit to be one.", no_args_is_help=True)

_LARGEST_FILE = 200_000
_NO_SUBJECT = "{{ campaign.title }}"


@app.command()
def fields(as_json: Json = False) -> None:
    """Every merge field a letter may name, with what it stands for and an example."""
    if as_json:
        emit({"fields": [{"name": f.name, "about": f.about, "example": f.example} for f in MERGE_FIELDS]})
        return
    for field in MERGE_FIELDS:
        out.print(f"{field.name}\n    {field.about}\n    For example: {field.example}", markup=False)


@app.command()
def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A template: an optional first line “Subject: …”, then the letter.")
    ],
    as_json: Json = False,
) -> None:
    """Whether FILE is fit to be a letter; if so, show it as the first sample signer would send it."""
    subject, body = _read(file)
    check_letter(subject, "", body, "")
    form = LetterForm(subject, "", body, "")
    letter = form.write(samples.ORDINARY, samples.TARGET, samples.CAMPAIGN)
    if as_json:
        emit({"ok": True, "fields": sorted(form.fields), "sample": {"subject": letter.subject, "text": letter.text}})
        return
    out.print(f"{file}: fit to be a letter. To a sample target it reads:\n", markup=False)
    out.print(f"Subject: {letter.subject}\n\n{letter.text}", markup=False)


def _read(file: Path) -> tuple[str, str]:
    """Subject and body. The subject's line stays in the body as a blank one, so that line numbers are the file's."""
    raw = files.read(file, largest=_LARGEST_FILE, wrong=BadInput)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BadInput("This is not UTF-8 text.", where=f"{file}, line {line}", advice="Save it as UTF-8.") from None
    first, _, rest = text.partition("\n")
    if found := re.match(r"subject:\s*(.+)", first, re.IGNORECASE):
        return found[1].strip(), "\n" + rest
    return _NO_SUBJECT, text
