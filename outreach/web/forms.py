"""From what a browser posts to checked values, or back to the page with every value kept and every error said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi import Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from outreach.domain.sentences import _

#: No form of ours has more fields; a flood of parts is refused by the parser.
MOST_FIELDS = 50
#: For forms whose text would be missed, when somebody's program sends a file along.
NO_FILES = _("Files cannot be sent with a letter. What you typed is still here.")


@dataclass
class FormState:
    """What a form page shows: the values as typed and one sentence per wrong field, in the order of the page."""

    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    had_files: bool = False  #: files came along; they were let go unread

    def with_errors(self, errors: Mapping[str, str], order: tuple[str, ...] = ()) -> FormState:
        """The same values with these errors, sorted as the fields stand on the page."""
        known = [name for name in order if name in errors]
        rest = [name for name in errors if name not in known]
        return FormState(self.values, {name: errors[name] for name in known + rest}, self.had_files)


async def posted(request: Request) -> FormState:
    """A dependency: the posted text fields. `def view(form: Annotated[FormState, Depends(posted)])`.

    Of a field that comes twice the last one counts. Line ends become "\\n" here, once: browsers post CRLF from a
    textarea, and nothing further in may have to know.
    """
    data = await form_of(request)
    sent = data.multi_items()
    texts = {storable(name): one_newline(storable(value)) for name, value in sent if isinstance(value, str)}
    return FormState(texts, had_files=len(sent) > sum(isinstance(value, str) for name, value in sent))


async def form_of(request: Request) -> FormData:
    """The form as it was parsed; HTTPException 400 for one that cannot be. Files are closed unread."""
    try:
        form = await request.form(max_files=MOST_FIELDS, max_fields=MOST_FIELDS)
    except UnicodeError:  # it named a charset that is none for text
        raise HTTPException(400) from None
    await form.close()
    return form


def storable(text: str) -> str:
    """The text without halves of characters, which neither a page nor a database takes; some charsets make them."""
    return text.encode(errors="replace").decode()


def one_newline(text: str) -> str:
    """The text with "\\n" as its only line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
