"""A month of letters on a fake clock: the real rules, workers that dawdle, stall and are turned away, by chance.

An event is one look at one lane, so a month of a hundred lanes is some ten thousand steps and not two million seconds.
Everything random comes from one seed.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random

from outreach.domain.courses import Left
from outreach.domain.deliveries import retry_delay
from outreach.domain.forecast import Limit, Line, Rival
from outreach.domain.pacing import DAY, HOUR, OfficeHours, Pace, fair_shares, room, spend

OURS, THEIRS = 1, 2
_ZONES = ("America/New_York", "America/Chicago", "Europe/Berlin", "Europe/London", "Australia/Lord_Howe", "Asia/Tokyo")
#: A day-long curve as an organizer would draw it: slow mornings, a busy noon.
_CURVE = (0,) * 8 + (2, 3, 4, 4, 3, 4, 4, 3, 2, 1) + (0,) * 6


@dataclass
class Box:
    """One mailbox: its rules, what waits for it, what left lately."""

    pace: Pace
    due: dict[int, list[datetime]]  #: by campaign, each oldest first; a retry is due later
    ended: list[datetime] = field(default_factory=list)
    had: dict[int, list[datetime]] = field(default_factory=lambda: {OURS: [], THEIRS: []})
    per_day: float = 0.0  #: letters of the other campaign that come anew, as measured


@dataclass
class Scenario:
    """A wave over many mailboxes, and how well its workers do."""

    dice: Random
    begins: datetime
    boxes: list[Box]
    stalls: list[tuple[datetime, datetime]]
    turned_away: float  #: how often a provider says "not now"
    budget: Pace | None = None

    def lines(self) -> list[Line]:
        """What a forecast is told when the wave begins."""
        return [_line(box, self.begins) for box in self.boxes]

    def limits(self) -> list[Limit]:
        """The wave's own budget."""
        return [Limit(self.budget, self.begins)] if self.budget else []


def _line(box: Box, now: datetime) -> Line:
    waiting = sum(1 for at in box.due[THEIRS] if at <= now)
    lately = {key: len(had) - bisect_left(had, now - HOUR) for key, had in box.had.items()}
    lead = lately[THEIRS] - lately[OURS]
    rivals = (Rival(waiting, box.per_day, lead),) if waiting or box.per_day else ()
    runs = []
    for begin in (now - n * HOUR for n in range(24, 0, -1)):
        n = bisect_left(box.ended, begin + HOUR) - bisect_left(box.ended, begin)
        runs += [Left(begin, n)] if n else []
    return Line(box.pace, len(box.due[OURS]), now, tuple(runs), rivals=rivals)


def scenario(seed: int, *, lanes: int = 100) -> Scenario:
    """Any month of any year, half of them with the clocks being changed in it."""
    dice = Random(seed)
    begins = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=dice.randrange(365 * 1440))
    zones = dice.sample(_ZONES, 2)
    days = dice.choice((1, 2, 3, 5, 8, 12, 20, 30))  # about how long the slowest mailbox takes
    caps = dice.choice(((2, 3, 5), (5, 8), (10, 12), (20, 30), (30,), (60, 90))) if days <= 3 else (2, 3, 5, 8, 10)
    shape = dice.random()
    calendars = [frozenset(date(2026, 1, 1) + timedelta(dice.randrange(400)) for _ in range(8)) for _ in zones]
    offices = [_office(zone, closed, shape) for zone, closed in zip(zones, calendars, strict=True)]
    boxes = [_box(dice, begins, dice.choice(offices), dice.choice(caps), days, shape) for _ in range(lanes)]
    total = sum(len(box.due[OURS]) for box in boxes)
    budget = Pace(max(1, total // (days * 12))) if dice.random() < 0.15 else None
    return Scenario(dice, begins, boxes, _stalls(dice, begins, days), dice.choice((0.0, 0.005, 0.03)), budget)


def _office(zone: str, closed: frozenset[date], shape: float) -> OfficeHours | None:
    if shape < 0.1:
        return OfficeHours.of("always", "all", zone, closed=closed)
    curve = _CURVE if shape < 0.2 else None
    return OfficeHours.of("08:00-18:00", "mon-fri", zone, closed=closed, curve=curve)


def _box(dice: Random, begins: datetime, office: OfficeHours | None, cap: int, days: int, shape: float) -> Box:
    per_day = None if shape > 0.8 else cap * (10 if shape > 0.3 else dice.randint(4, 9))
    n = max(1, int(cap * 10 * days * 5 / 7 * dice.uniform(0.05, 0.5) ** 1.6))
    box = Box(Pace(cap, per_day, office), {OURS: [begins] * n, THEIRS: []})
    if dice.random() < 0.3:  # another campaign writes there too
        waiting, rate = dice.randrange(n + 1), cap * dice.choice((0.0, 0.0, 0.5, 1.0))
        yesterday = sum(dice.random() < rate / 1440 for _ in range(1440))  # says it only roughly
        box.per_day = max(0.5, yesterday) if rate else 0.0
        anew = [begins + timedelta(days=60 * dice.random()) for _ in range(int(60 * rate))]
        box.due[THEIRS] = [begins] * waiting + sorted(anew)
    if dice.random() < 0.5:
        _what_left_before(box, begins, dice)
    return box


def _what_left_before(box: Box, begins: datetime, dice: Random) -> None:
    """The last day went as the rules let it: at an even pace until some moment."""
    at, until = begins - DAY, begins - dice.random() * 12 * HOUR
    while at < until:
        left = room(box.pace, box.ended, 0, at)
        if left.now:
            box.ended.append(at)
            box.had[THEIRS if box.due[THEIRS] and dice.random() < 0.5 else OURS].append(at)
            at += timedelta(seconds=4)
        else:
            at = max(left.opens_at, at + timedelta(seconds=1))


def _stalls(dice: Random, begins: datetime, days: int) -> list[tuple[datetime, datetime]]:
    """Now and then all workers stand still: a deployment, a full disk, somebody's lunch."""
    stalls, at = [], begins
    while at < begins + timedelta(days=3 * days + 5):
        at += timedelta(days=dice.expovariate(1 / 3))
        stalls.append((at, at + timedelta(minutes=dice.uniform(1, 45))))
    return stalls


def run(month: Scenario) -> datetime:
    """When the wave's last letter is taken."""
    return _Workers(month).work()


class _Workers:
    """They look at a lane when it may have room, and send what the rules let go."""

    def __init__(self, month: Scenario) -> None:
        self._month, self._dice = month, month.dice
        self._stalls = iter(month.stalls)
        self._stall = next(self._stalls, None)
        self._to_go = [len(box.due[OURS]) for box in month.boxes]
        self._looks = [(month.begins + self._lag(), n) for n in range(len(month.boxes))]
        self._hour_next: datetime | None = None
        self._refused: list[int] = []  #: lanes with room that the budget had none for
        self._budget_is_awaited = False

    def work(self) -> datetime:
        """Until all of ours have left: when the last of them was taken."""
        heapq.heapify(self._looks)
        last = self._month.begins
        while self._looks:
            now, n = heapq.heappop(self._looks)
            if self._stands_still(now):
                heapq.heappush(self._looks, (self._stall[1] + self._lag(), n))  # type: ignore[index]
            elif n >= 0:
                last = max(last, self._look(self._month.boxes[n], n, now))
            else:
                last = max(last, self._look_again(now))
        return last

    def _stands_still(self, now: datetime) -> bool:
        while self._stall and self._stall[1] <= now:
            self._stall = next(self._stalls, None)
        return self._stall is not None and self._stall[0] <= now

    def _look_again(self, now: datetime) -> datetime:
        """The budget has room again, for whichever lane comes first."""
        last, self._budget_is_awaited = self._month.begins, False
        while self._refused and not self._budget_is_awaited:
            i = self._dice.randrange(len(self._refused))
            self._refused[i], self._refused[-1] = self._refused[-1], self._refused[i]
            n = self._refused.pop()
            last = max(last, self._look(self._month.boxes[n], n, now))
        return last

    def _look(self, box: Box, n: int, now: datetime) -> datetime:
        """One look at one lane; when the last of ours that it sent was taken."""
        if len(box.ended) > 2000:
            del box.ended[: bisect_left(box.ended, now - DAY)]
        left = room(box.pace, box.ended, 0, now)
        waits = {key: bisect_left(due, now) for key, due in box.due.items()}
        places = min(left.now, sum(waits.values()))
        if places and self._month.budget:
            places = self._spend(places, n, now)
            if not places:
                return self._month.begins
        last, landed = self._month.begins, now
        for key, taken in _turns(box, waits, places, now).items():
            for _ in range(taken):
                landed += timedelta(seconds=self._dice.uniform(0.05, 0.5))
                del box.due[key][0]
                if self._dice.random() < self._month.turned_away:
                    again = landed + retry_delay(1, base=timedelta(seconds=30), draw=self._dice.random())
                    box.due[key].insert(bisect_left(box.due[key], again), again)
                    continue
                box.ended.append(landed)
                box.had[key].append(landed)
                if key == OURS:
                    self._to_go[n] -= 1
                    last = landed
        if self._to_go[n]:
            opens_at = room(box.pace, box.ended, 0, landed).opens_at
            due = min(due[0] for due in box.due.values() if due)
            heapq.heappush(self._looks, (max(opens_at, due) + self._lag(), n))
        return last

    def _spend(self, places: int, n: int, now: datetime) -> int:
        assert self._month.budget
        spent = spend(self._month.budget, self._hour_next, None, places, now)
        self._hour_next = spent.hour_next
        if not spent.n:
            self._refused.append(n)
        if self._refused and not self._budget_is_awaited:
            heapq.heappush(self._looks, (max(spent.opens_at, now) + self._lag(), -1))
            self._budget_is_awaited = True
        return spent.n

    def _lag(self) -> timedelta:
        """The beat sweeps every five seconds; now and then the workers have their hands full."""
        seconds = self._dice.uniform(0.2, 5.5)
        return timedelta(seconds=seconds if self._dice.random() > 0.02 else seconds + self._dice.expovariate(1 / 30))


def _turns(box: Box, waits: dict[int, int], places: int, now: datetime) -> dict[int, int]:
    """Who may send how many, as the claim divides them."""
    shares = dict.fromkeys(waits, 0)
    oldest = sorted((key for key in waits if waits[key]), key=lambda key: box.due[key][0])
    if places:
        recent = {key: len(had) - bisect_left(had, now - HOUR) for key, had in box.had.items()}
    while places and (able := [key for key in oldest if waits[key] > shares[key]]):
        turn = able[0] if len(able) == 1 else fair_shares({key: recent[key] + shares[key] for key in able}, 1)
        for key, n in turn.items() if isinstance(turn, dict) else ((turn, 1),):
            shares[key] += n
        places -= 1
    return shares
