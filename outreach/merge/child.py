"""The process that tries a new letter out: limits first, then the letter, then one line of JSON about it."""

from __future__ import annotations

import json
import resource
import sys

MEMORY = 512 * 1024 * 1024
CPU_SECONDS = 2
OUTPUT = 256 * 1024


def main() -> None:
    """Read the parts of a letter (four) or mailing (two) from stdin; print `null`, or what is wrong."""
    _limit()
    parts = json.loads(sys.stdin.buffer.read())

    from outreach.merge.samples import trouble_with, trouble_with_mailing

    sys.stdout.write(json.dumps(trouble_with(*parts) if len(parts) == 4 else trouble_with_mailing(*parts)))


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT, OUTPUT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
