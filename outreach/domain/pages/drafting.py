"""The letter version a page makes: what each signature says to each target."""

from __future__ import annotations

from dataclasses import dataclass

from .embedded import as_template, literal
from .reading import Page
from .text import in_one_line

_OWN_WORDS = "{% if signer.own_words %}{{ signer.own_words }}{% endif %}"
_NAME = "{{ signer.name }}{% if signer.city %}, {{ signer.city }}{% endif %}"


@dataclass(frozen=True, slots=True)
class Draft:
    """Four templates. `header` and `footer` are locked; `body` is what a signer may make their own."""

    subject: str
    header: str
    body: str
    footer: str


def draft(page: Page) -> Draft:
    """The page's own letter; for a petition one made of its opening, its demands and its closing."""
    return _letter(page) if page.letter else _petition(page)


def _letter(page: Page) -> Draft:
    letter = page.letter
    assert letter is not None  # noqa: S101 (asked by the caller)
    # The page's own greeting names its one target; for several, each letter must greet its own.
    header = letter.salutation if letter.salutation and len(page.targets) == 1 else "{{ target.salutation }},"
    body = letter.body if "signer.own_words" in letter.merge_fields else f"{letter.body}\n\n{_OWN_WORDS}"
    return Draft(
        subject=literal(in_one_line(letter.subject or page.title)),
        header=header,
        body=body,
        footer=_signed(letter.closing, is_named=_stands_alone("{{ signer.name }}", letter.body)),
    )


def _signed(closing: str, *, is_named: bool) -> str:
    if "{{ signer.name }}" in closing:
        return closing
    return closing if is_named else f"{closing}\n{_NAME}".lstrip("\n")


def _stands_alone(field: str, body: str) -> bool:
    return any(row.strip(" ,.") == field for row in body.split("\n"))


def _petition(page: Page) -> Draft:
    demands = [f"{number}) {text}" for number, text in enumerate(page.demands, 1)]
    parts = [page.opening, *demands, *(f"{ask.title}: {ask.text}" for ask in page.asks), page.closing]
    text = "\n\n".join(part for part in parts if part) or page.why
    body, used = as_template(text)
    return Draft(
        subject=literal(page.title),
        header="{{ target.salutation }},",
        body=body if "signer.own_words" in used else f"{body}\n\n{_OWN_WORDS}",
        footer=_NAME,
    )
