"""What a fake server does wrong, and when: from a script first, else by seeded chance."""

from __future__ import annotations

import random
from collections import deque

#: Answers by number are given instead of taking the mail; "…_after" faults take it first.
NAMES = frozenset(
    {"ok", "400", "400_opaque", "401", "403", "404", "413", "429", "500", "502", "503", "504"}
    | {"hang", "hang_after", "reset", "reset_after", "close", "close_after", "500_after", "502_after", "504_after"}
    | {"421", "450", "550", "554_data", "451_dot", "552_dot", "drop", "drop_after", "drop_data"}
)


class Faults:
    """`Faults("429=0.05,hang_after=0.01,delay=0.05", seed=1)`; `script("502", "ok")` for the next requests."""

    def __init__(self, spec: str = "", *, seed: int = 0) -> None:
        self._dice = random.Random(seed)
        self._script: deque[str] = deque()
        self.rates: list[tuple[str, float]] = []
        self.delay = 0.0
        self.set(spec)

    def set(self, spec: str) -> None:
        """Replace the chances. `delay` is no fault but how many seconds each answer takes."""
        values = rates(spec)
        self.delay = values.pop("delay", 0.0)
        _known(*values)
        self.rates = list(values.items())

    def script(self, *names: str) -> None:
        """What the next requests meet, one name each; "ok" is none."""
        _known(*names)
        self._script.extend(names)

    def next(self) -> str:
        if self._script:
            return self._script.popleft()
        if not self.rates:
            return "ok"
        draw = self._dice.random()
        for name, rate in self.rates:
            if draw < rate:
                return name
            draw -= rate
        return "ok"


def rates(spec: str) -> dict[str, float]:
    """ "a=0.1,b=1" as a mapping."""
    pairs = [pair.partition("=") for pair in spec.split(",") if pair.strip()]
    return {name.strip(): float(value) for name, _, value in pairs}


def _known(*names: str) -> None:
    if unknown := set(names) - NAMES:
        raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
