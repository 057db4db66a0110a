"""A language that nobody speaks, made of one file: Arabic letters' direction, English words in brackets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from outreach import languages, translating

CODE = "ar"


@contextmanager
def spoken(folder: Path) -> Iterator[str]:
    """While it lasts the engine speaks English and this one language, read from the file in `folder`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(languages, "LOCALE", folder)
        patch.setattr(translating, "LOCALE", folder)
        _write(translating.update(CODE))
        _forget()
        yield CODE
    _forget()


def _write(path: Path) -> None:
    catalogue = translating.catalogue(CODE)
    for message in catalogue:
        if isinstance(message.id, str) and message.id:
            message.string = f"⟦{message.id}⟧"
        elif message.id:
            message.string = (f"⟦{message.id[-1]}⟧",) * catalogue.num_plurals
    translating.save(catalogue, path)


def _forget() -> None:
    for cached in (languages.languages, languages._speakers):
        cached.cache_clear()
