"""What one look comes to: a verdict, what was seen, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105 (a verdict, not a password)
    WARN = "warn"  #: it works; somebody should know
    FAIL = "fail"  #: mail would not leave, would be lost, or would harm somebody


@dataclass(frozen=True)
class Finding:
    """One line of the report. `seen` and `advice` are sentences without secrets and without addresses of people."""

    about: str
    verdict: Verdict
    seen: str
    advice: str = ""


def good(about: str, seen: str) -> Finding:
    return Finding(about, Verdict.PASS, seen)


def warn(about: str, seen: str, advice: str) -> Finding:
    return Finding(about, Verdict.WARN, seen, advice)


def fail(about: str, seen: str, advice: str) -> Finding:
    return Finding(about, Verdict.FAIL, seen, advice)
