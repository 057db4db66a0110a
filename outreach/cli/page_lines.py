"""What each line of a page's file was understood as, for people and for machines: nothing of a file is dropped."""

from __future__ import annotations

from typing import Any

from outreach.cli import base
from outreach.domain import pages


def show(page: pages.Page) -> None:
    """Print every line with its number and its role."""
    width = max(len(line.role) for line in page.lines)
    for line in page.lines:
        base.out.print(f"{line.line:5}  {line.role:{width}}  {_shortened(line.text)}", markup=False)


def as_json(page: pages.Page) -> dict[str, list[dict[str, Any]]]:
    """The same as {"unplaced": [{"line", "text"}], "lines": [{"line", "role", "text"}]}."""
    return {
        "unplaced": [{"line": line.line, "text": line.text} for line in page.unplaced],
        "lines": [{"line": line.line, "role": line.role, "text": line.text} for line in page.lines],
    }


def _shortened(text: str, limit: int = 76) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
