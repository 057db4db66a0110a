"""Files that a person names on the command line."""

from __future__ import annotations

from pathlib import Path

from outreach.errors import BadInput, BadRows


def read(path: Path, *, largest: int, wrong: type[BadInput] = BadRows) -> bytes:
    """The file's bytes; `wrong`, naming the file, when it cannot be read or has more than `largest` of them.

    A file is read as a whole or not at all: of one cut short, nobody would notice what is missing.
    """
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte in it
        reason = getattr(error, "strerror", None) or "this is no path"
        raise wrong(f"The file cannot be read: {reason}.", where=str(path), advice="Check the path.") from None
    if len(content) > largest:
        raise wrong(
            f"The file has more than {largest:,} bytes, which is more than is taken at once.",
            where=str(path),
            advice="Split it, or look whether it is the one you mean.",
        )
    return content
