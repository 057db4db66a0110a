"""From what a browser posts to checked values, or back to the page with every value kept and every error said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi import Request
from starlette.datastructures import FormData

#: No form of ours has more fields; a flood of parts is refused by the parser.
MOST_FIELDS = 50


@dataclass
class FormState:
    """What a form page shows: the values as typed and one sentence per wrong field, in the order of the page."""

    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def with_errors(self, errors: Mapping[str, str], order: tuple[str, ...] = ()) -> FormState:
        """The same values with these errors, sorted as the fields stand on the page."""
        known = [name for name in order if name in errors]
        rest = [name for name in errors if name not in known]
        return FormState(self.values, {name: errors[name] for name in known + rest})


async def posted(request: Request) -> FormState:
    """A dependency: the posted text fields. `def view(form: Annotated[FormState, Depends(posted)])`.

    Files are refused; of a field that comes twice the last one counts. Line ends become "\\n" here, once: browsers
    post CRLF from a textarea, and nothing further in may have to know.
    """
    data: FormData = await request.form(max_files=0, max_fields=MOST_FIELDS)
    return FormState({name: one_newline(value) for name, value in data.items() if isinstance(value, str)})


def one_newline(text: str) -> str:
    """The text with "\\n" as its only line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
