"""When letters will be gone, from the same rules that let them go.

A forecast is a range. The *low* end is the rules alone, as a `Course` follows them. The *high* end adds what always
happens: a lane is looked at a few seconds after it has room, workers pause, a provider has to be asked twice, other
campaigns write to the same mailbox. A provider that is away for hours cannot be foreseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf, sqrt

from .courses import FASTEST_PER_HOUR, Course, Left, least_per_hour, steady_rate
from .openings import HORIZON_DAYS
from .pacing import DAY, HOUR, OfficeHours, Pace, trickle

#: A lane that has room again is looked at so much later, and its mail is so long in the air. At the high end.
_LAG = timedelta(seconds=9)
#: Shares of the work, and time in opening hours, that are added at the high end for pauses and second tries.
_MORE, _PAUSES = 0.02, timedelta(hours=1)
#: Which lane a budget serves next is chance: of n turns one has by so many roots of n more or fewer.
_CHANCE = 2.0
_EVEN = 1e-6
_HOUR = HOUR.total_seconds()


@dataclass(frozen=True, slots=True)
class Rival:
    """Another campaign that writes to the same mailbox: the two take turns."""

    waiting: int
    per_day: float = 0.0  #: that come anew
    lead: int = 0  #: how many more than ours it had in the last hour; so many turns it gives way


@dataclass(frozen=True, slots=True)
class Line:
    """`ours` letters that wait in one lane, and what stands before them."""

    pace: Pace
    ours: int
    opens_at: datetime  #: nothing leaves before
    left: tuple[Left, ...] = ()  #: in the last day, oldest first; only a cap for the day asks for it
    ahead: int = 0  #: of the same campaign, older
    perhaps_ahead: int = 0  #: of the same campaign, older or younger
    rivals: tuple[Rival, ...] = ()
    also: OfficeHours | None = None  #: a wave's own hours
    domain: str = ""  #: the mail domain of the lane's mailbox


@dataclass(frozen=True, slots=True)
class Limit:
    """A budget over many lanes, and how many letters of others wait for it too."""

    pace: Pace
    opens_at: datetime
    others: int = 0
    domain: str = ""  #: the one whose lanes it is over; "" is all of them


@dataclass(frozen=True, slots=True)
class Finish:
    """From when letters leave until when they will be gone; None is "not within two years"."""

    start: datetime | None
    low: datetime | None
    high: datetime | None


def lane_ends(line: Line) -> Finish:
    """When the letters of one lane leave."""
    return _Queue(line).ends()


class _Queue:
    """One lane's letters with their course."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.course = self.at_best = Course(line.pace, line.opens_at, left=line.left, also=line.also)
        if line.pace.hours is not None and line.pace.hours.curve:
            self.at_best = Course(line.pace, line.opens_at, left=line.left, also=line.also, at_best=True)
        per_hour = line.pace.per_hour
        self.kind = (line.pace, line.also)
        self.together, span = trickle(per_hour) if per_hour else (1, HOUR)
        self._lag = _LAG / span if per_hour else 0.0

    def ends(self) -> Finish:
        first = self.line.ahead if self.line.ours else 0
        return Finish(_moment(self.at_best.when(first)), _moment(self.low()), _moment(self.high()))

    def low(self) -> float | None:
        """By the rules alone."""
        return self.at_best.when(self.least())

    def least(self) -> float:
        """How many leave before the last of ours, when no more come and turns are taken evenly."""
        turns = self.line.ahead + self.line.ours
        theirs = self._turns_of_a_rival()[0]
        shared = sum(
            max(0.0, min(rival.waiting, (turns - max(0, rival.lead)) * theirs) - 1) for rival in self.line.rivals
        )
        return max(0.0, turns + shared - self.together)

    def _turns_of_a_rival(self) -> tuple[float, float]:
        """For each turn of ours, at least and at most: of an hour's places that cannot be divided evenly, the odd ones
        go to whoever waits longest.
        """
        campaigns, places = len(self.line.rivals) + 1, least_per_hour(self.line.pace)
        few, many = places // campaigns, places - places // campaigns * (campaigns - 1)
        return few / many, many / few if few else inf

    def high(self) -> float | None:
        """With what always happens."""
        pauses = steady_rate(self.line.pace) * (_PAUSES / HOUR)
        at = self.course.when(self.work(0.0) + pauses)
        for _ in range(3 if any(rival.per_day for rival in self.line.rivals) else 0):
            if at is None:
                return None
            at = self.course.when(self.work(at - self.line.opens_at.timestamp()) + pauses)
        return at

    def alone(self) -> float:
        """How many leave before the last of ours where places are so few that whoever waits longest has them all."""
        return max(0.0, self.line.ahead + self.line.ours - self.together)

    def work(self, seconds: float) -> float:
        """How many letters' time is needed at the high end, when new ones arrive for so long."""
        line = self.line
        turns = line.ahead + line.perhaps_ahead + line.ours
        shared, theirs = 0.0, self._turns_of_a_rival()[1]
        for rival in line.rivals:
            days = seconds / DAY.total_seconds()
            anew = rival.per_day * days
            by_chance = 2 * sqrt(anew) + days * sqrt(rival.per_day) / 2  # of what comes, and of what was measured
            shared += min(rival.waiting + anew + by_chance, turns * theirs - min(0, rival.lead))
        return (turns + shared) * (1 + self._lag + _MORE)


def wave_ends(lines: Sequence[Line], limits: Sequence[Limit] = ()) -> Finish:
    """When the last of a wave's letters leaves, over all its lanes and within its budgets."""
    queues = [_Queue(line) for line in lines if line.ours]
    if not queues:
        return Finish(None, None, None)
    budgets = [_Budget(limit) for limit in sorted(limits, key=lambda limit: limit.domain, reverse=True)]
    # The first may leave once a lane and every budget over all are open; the last is the last of them all.
    first = _earliest([queue.at_best.when(queue.line.ahead) for queue in queues])
    start = _latest([first, *(budget.course.when(0) for budget in budgets if not budget.domain)])
    low = _latest([queue.low() for queue in queues])
    high = _latest([queue.high() for queue in queues])
    bound = [queue for queue in queues if any(budget.is_over(queue.line) for budget in budgets)]
    if start is not None and bound:
        best, worst = (_shared(bound, budgets, start, at_best=at_best) for at_best in (True, False))
        luck = _CHANCE / sqrt(max(1.0, *(queue.work(0.0) for queue in bound)))  # the longest lane may have it, or not
        lucky = None if best is None else start + (best - start) * max(0.0, 1 - luck)
        low = _latest([low, lucky, *(budget.ends(bound) for budget in budgets)])
        high = _latest([high, None if worst is None else worst + (worst - start) * luck])
    return Finish(_moment(start), _moment(low), _moment(high))


class _Budget:
    """A budget with its course."""

    def __init__(self, limit: Limit) -> None:
        self.domain, self._others = limit.domain, limit.others
        self.course = Course.of_budget(limit.pace, limit.opens_at)
        per_hour = limit.pace.per_hour or FASTEST_PER_HOUR
        # It holds a minute's worth, so that a short wait loses nothing; but where that is one mail, every wait does.
        self._slower = 1 + (_LAG * per_hour / HOUR if per_hour < 120 else 0.0)

    def is_over(self, line: Line) -> bool:
        """Whether the letters of that lane count against it."""
        return self.domain in ("", line.domain)

    def ends(self, queues: Sequence[_Queue]) -> float | None:
        """When it has let all of them go, were it never idle: no luck makes that earlier."""
        return self.course.when(max(0.0, sum(queue.alone() for queue in queues if self.is_over(queue.line)) - 1))

    def places(self, begin: float, end: float, *, at_best: bool) -> float:
        """How many it lets go in that time; at the high end a little fewer, and only when all others went before."""
        slower, others = (1.0, 0) if at_best else (self._slower, self._others)
        before, after = (max(0.0, self.course.by(at) / slower - others) for at in (begin, end))
        return after - before

    def divide(self, groups: Sequence[_Alike], begin: float, end: float, *, at_best: bool) -> None:
        """Lower what its lanes may have in that time to what it lets go."""
        wants = [want for group in groups for want in group.wants()]
        level = _level(wants, self.places(begin, end, at_best=at_best))
        for group in groups:
            group.goes = min(group.goes, level)


def _shared(queues: Sequence[_Queue], budgets: Sequence[_Budget], begin: float, *, at_best: bool) -> float | None:
    """When all have left under budgets: hour by hour, every lane gets its part of what they let go.

    What a lane could not send in one hour it has not saved up for the next, nor has a budget what no office took at
    night: that is why neither the slowest lane nor the tightest budget alone tells the end.
    """
    groups = _alike(queues, budgets, at_best=at_best)
    pauses = timedelta(0) if at_best else _PAUSES
    until = begin + HORIZON_DAYS * DAY.total_seconds()
    while begin < until:
        end = begin + _HOUR
        for group in groups:
            group.goes = group.course.by(end) - group.course.by(begin)
        if not any(group.goes for group in groups):
            wakes = _earliest([group.course.when(group.course.by(end)) for group in groups])
            begin = end if wakes is None else max(end, begin + (wakes - begin) // _HOUR * _HOUR)
            continue
        if pauses:  # the first hour is lost, in place of whichever will be
            pauses, begin = pauses - HOUR, end
            continue
        for i, budget in enumerate(budgets):
            budget.divide([group for group in groups if group.counts[i]], begin, end, at_best=at_best)
        for group in groups:
            group.give()
        groups = [group for group in groups if group.needs]
        if not groups:
            return begin if at_best else end
        begin = end
    return None


@dataclass(slots=True)
class _Alike:
    """Lanes under budgets that follow one course and get the same each hour: what each needs in all, the most first."""

    course: Course
    counts: tuple[bool, ...]  #: against which of the budgets
    needs: list[float]
    had: float = 0.0
    goes: float = 0.0  #: what each may have this hour

    def wants(self) -> list[tuple[float, int]]:
        """(So much, so many lanes): those that need less than they may have want no more than that."""
        little: list[tuple[float, int]] = []
        for need in reversed(self.needs):
            if need - self.had >= self.goes:
                break
            little.append((need - self.had, 1))
        return [*little, (self.goes, len(self.needs) - len(little))]

    def give(self) -> None:
        """What may go has gone; lanes that need no more are done."""
        self.had += self.goes
        while self.needs and self.needs[-1] <= self.had + _EVEN:
            self.needs.pop()


def _alike(queues: Sequence[_Queue], budgets: Sequence[_Budget], *, at_best: bool) -> list[_Alike]:
    """Hour by hour, what left a lane lately makes no difference: lanes of one kind follow the course of one of them."""
    found: dict[object, _Alike] = {}
    for queue in queues:
        counts = tuple(budget.is_over(queue.line) for budget in budgets)
        course = queue.at_best if at_best else queue.course
        group = found.setdefault((queue.kind, counts), _Alike(course, counts, []))
        group.needs.append(queue.alone() if at_best else queue.work(0.0))
    for group in found.values():
        group.needs.sort(reverse=True)
    return list(found.values())


def _level(wants: Sequence[tuple[float, int]], places: float) -> float:
    """What each may have at most so that all together have no more than `places`: who wants little gets all of it."""
    lanes = sum(n for _, n in wants)
    if sum(want * n for want, n in wants) <= places:
        return inf
    left, level = places, 0.0
    for want, n in sorted(wants):
        level = left / lanes
        if want >= level:
            break
        left -= want * n
        lanes -= n
    return level


def _earliest(moments: Sequence[float | None]) -> float | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _latest(moments: Sequence[float | None]) -> float | None:
    """The last of them; None, which is "never", comes after all."""
    known = [moment for moment in moments if moment is not None]
    return max(known) if known and len(known) == len(moments) else None


def _moment(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(round(at), UTC)
