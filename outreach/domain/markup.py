"""The text of a mail that came as a page only: what a person would read of it, and nothing that acts."""

from __future__ import annotations

import re
from html.parser import HTMLParser

#: Characters of a page that are looked at. What an office writes is short; the rest is decoration.
LONGEST_PAGE = 500_000
_UNSEEN = frozenset({"script", "style", "head", "title", "template", "noscript", "svg", "math", "object", "iframe"})
_BLOCKS = frozenset(
    """
    address article aside center dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p
    pre section table tbody td th thead tr ul
    """.split()  # noqa: SIM905 (a list of strings would be harder to read)
)
_SPACES = re.compile(r"[ \t\r\f\v\xa0]+")


def text_of_page(page: str) -> str:
    """The words of an HTML page in lines, quotations with "> " before each. Links are their words only."""
    reader = _Reader()
    reader.feed(page[:LONGEST_PAGE])
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = []
        self._line = ""
        self._depth = 0  #: of quotations
        self._unseen: list[str] = []  #: elements that nobody sees, from the outside in

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen.append(tag)
        elif tag == "body":
            self._unseen.clear()  # a head that was never closed hides no body
        elif tag == "br":
            self._end_line(always=True)
        elif tag == "blockquote":
            self._end_line()
            self._depth += 1
        elif tag in _BLOCKS:
            self._end_line()

    def handle_endtag(self, tag: str) -> None:
        if tag in self._unseen:
            del self._unseen[self._unseen.index(tag) :]
        elif tag == "blockquote":
            self._end_line()
            self._depth = max(self._depth - 1, 0)
        elif tag in _BLOCKS:
            self._end_line()
            if tag == "p":
                self._lines.append("> " * self._depth)

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._line += data

    def _end_line(self, *, always: bool = False) -> None:
        words = _SPACES.sub(" ", self._line.replace("\n", " ")).strip()
        self._line = ""
        if words or always:
            self._lines.append("> " * self._depth + words)

    def text(self) -> str:
        """What was read so far."""
        self._end_line()
        lines = "\n".join(line.rstrip() for line in self._lines)
        return re.sub(r"\n{3,}", "\n\n", lines).strip("\n")
