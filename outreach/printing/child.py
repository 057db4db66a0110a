"""The process that prints one paper: limits first, then the paper."""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

MEMORY = 2 * 1024 * 1024 * 1024
CPU_SECONDS = 10
#: PDF for everybody: tagged, with a title and a language, and no sign that cannot be read back.
_STANDARD = "ua-1"


def main() -> None:
    """Read {"source", "values"} as JSON from stdin; write the PDF to stdout."""
    _limit()
    asked = json.loads(sys.stdin.buffer.read())
    sys.stdout.buffer.write(_printed(asked["source"], asked["values"]))


def _printed(source: str, values: dict[str, Any]) -> bytes:
    import typst

    try:
        return _compile(typst, source, {**values, "note": ""}, [_STANDARD])
    except typst.TypstError as error:
        if "could not be displayed" not in str(error):
            raise
        # No font here knows some sign. It is printed as an empty box, and the paper says so.
        return _compile(typst, source, values, [])


def _compile(typst: Any, source: str, values: dict[str, Any], standards: list[str]) -> bytes:
    inputs = {"values": json.dumps(values, ensure_ascii=False)}
    return bytes(typst.compile(source.encode(), sys_inputs=inputs, format="pdf", pdf_standards=standards))


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes to pipes only
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
