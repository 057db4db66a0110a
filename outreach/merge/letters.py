"""A letter version as a form: read and compiled once, then written out for one signer and target after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TypeAlias

from jinja2 import Template, nodes
from jinja2.exceptions import TemplateError

from outreach.domain.letters import CampaignFields, SignerFields, TargetFields
from outreach.domain.words import short_line, wrapped_lines
from outreach.errors import BadTemplate

from .grammar import ENVIRONMENT, fields_in, parse, prints_own_words

PARTS = ("letter subject", "letter header", "letter body", "letter footer")
#: Characters of a finished letter. However they have to be escaped, its HTML stays below what Gmail clips at.
TEXT_LIMIT = 15_000

_OWN_WORDS = "signer.own_words"


@dataclass(frozen=True, slots=True)
class Letter:
    """What one signature says to one target, before anything is added about who sent it.

    `text` is wrapped at 72 columns and ends without a line break. `html` is the same text as paragraphs, without
    a frame. The same fields always give the same letter, to the byte.
    """

    subject: str
    text: str
    html: str


class LetterForm:
    """One letter version, ready to be written out. Make it once per version and keep it; threads may share it.

    Raises BadTemplate for a version that `check_letter` would have refused, however it got here.
    """

    def __init__(self, subject: str, header: str, body: str, footer: str) -> None:
        trees = [parse(part, source) for part, source in zip(PARTS, (subject, header, body, footer), strict=True)]
        if _OWN_WORDS in fields_in(trees[0]):
            raise BadTemplate("A signer's own words cannot be part of the subject.", where=PARTS[0])
        if not trees[2].body:
            raise BadTemplate("The letter has no body.", where=PARTS[2])
        self.fields = frozenset[str]().union(*(fields_in(tree) for tree in trees))
        self._header, self._body, self._footer = trees[1:]
        self._subject = _compiled(trees[0])
        self._letter = _compiled(_joined(self._header, self._body, self._footer))

    def write(self, signer: SignerFields, target: TargetFields, campaign: CampaignFields) -> Letter:
        """The letter of one signer to one target. BadTemplate if it comes out empty or longer than letters may be."""
        subject = _OWN_SUBJECT if signer.subject else self._subject
        letter = self._rewritten if signer.body else self._letter
        return written_out(subject, letter, _values(signer, target, campaign), what="letter", limit=TEXT_LIMIT)

    def open_part(self, signer: SignerFields, target: TargetFields, campaign: CampaignFields) -> str:
        """The body alone, as it stands for this signer and target: what they may put their own in the place of."""
        return _tidy(self._alone.render(_values(signer, target, campaign)))

    # Few versions are ever rewritten, and a worker that begins compiles every version that it meets.
    @cached_property
    def _alone(self) -> Template:
        return _compiled(self._body)

    @cached_property
    def _rewritten(self) -> Template:
        return _compiled(_joined(self._header, _value("signer_body"), self._footer))


_Values: TypeAlias = Mapping[str, str | tuple[str, ...]]


def _values(signer: SignerFields, target: TargetFields, campaign: CampaignFields) -> _Values:
    return {
        "signer_name": signer.name,
        "signer_first_name": signer.first_name,
        "signer_city": signer.city,
        "signer_postal_code": signer.postal_code,
        "signer_own_words": signer.own_words,
        "signer_subject": signer.subject,
        "signer_body": signer.body,
        "target_salutation": target.salutation,
        "target_name": target.name,
        "target_office": target.office,
        "campaign_title": campaign.title,
        "campaign_organisation": campaign.organisation,
        "demands": campaign.demands,
    }


def written_out(subject: Template, body: Template, values: _Values, *, what: str, limit: int) -> Letter:
    """Fill in a subject and a text. BadTemplate, naming the part of `what`, if one comes out empty or too long."""
    try:
        line = short_line(subject.render(values))
        text = _tidy(body.render(values))
    except (TemplateError, TypeError, ValueError) as error:
        raise BadTemplate(f"This {what} cannot be written: {error}", where=what) from error
    if not line:
        raise BadTemplate("The subject comes out empty.", where=f"{what} subject")
    if not text:
        raise BadTemplate(f"The {what} comes out empty.", where=f"{what} body")
    if len(text) > limit:
        raise BadTemplate(
            f"The {what} comes out at {len(text):,} characters; it can have {limit:,}.", where=f"{what} body"
        )
    lines = wrapped_lines(text)
    return Letter(line, "\n".join(lines), as_html(lines))


def as_html(lines: Sequence[str]) -> str:
    """Wrapped lines as paragraphs. Nothing in them becomes markup or a link.

    The breaks inside a line are ours, for the mail's sake, and show as spaces; those between lines are the author's.
    """
    text = escape("\0".join(lines), quote=False)
    return "<p>" + text.replace("\0\0", "</p>\n<p>").replace("\0", "<br>\n") + "</p>"


def _compiled(tree: nodes.Template) -> Template:
    try:
        return ENVIRONMENT.from_string(tree)
    except (TemplateError, RecursionError, SyntaxError, MemoryError) as error:
        raise BadTemplate("This cannot be made into a letter.", where=PARTS[2], advice="Make it simpler.") from error


def _joined(header: nodes.Template, body: nodes.Template, footer: nodes.Template) -> nodes.Template:
    """All three as one template, a blank line between; own words before the footer if nowhere else."""
    places_own_words = any(map(prints_own_words, (header, body, footer)))
    own_words = [] if places_own_words else _value("signer_own_words").body
    gap = [nodes.Output([nodes.TemplateData("\n\n")])]
    joined = nodes.Template([*header.body, *gap, *body.body, *gap, *own_words, *gap, *footer.body], lineno=1)
    return joined.set_environment(ENVIRONMENT)  # type: ignore[return-value]


def _value(name: str) -> nodes.Template:
    """A template that says one value, as it is."""
    alone = nodes.Template([nodes.Output([nodes.Name(name, "load")])], lineno=1)
    return alone.set_environment(ENVIRONMENT)  # type: ignore[return-value]


_OWN_SUBJECT = _compiled(_value("signer_subject"))


def _tidy(text: str) -> str:
    """No spaces at line ends, never two blank lines in a row, none around."""
    if " \n" in text:  # also keeps "-- " alone on a line for the mark that we set
        text = "\n".join([line.rstrip(" ") for line in text.split("\n")])
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip()
