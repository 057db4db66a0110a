"""The delivery machine: random search over the real code, and each protection shown to be needed.

For every mutant there is a kept path, found once by search or by thought: plain steps that end in a broken
invariant when the protection is off. The same paths hold when it is on. `EXAMPLES=3000` searches for longer.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

from outreach.domain.events import EventKind
from tests.integration.delivery_machine import LEASE, WINDOW, Machine
from tests.integration.delivery_mutants import MUTANTS

Machine.TestCase.settings = settings(
    max_examples=int(os.environ.get("EXAMPLES", "60")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestDeliveries = Machine.TestCase


def answer_after_the_mail_was_taken_but_not_told(m: Machine) -> None:
    m.attempt(0, "reset_taken", 4, False)
    m.tick(61)
    m.attempt(1, "ok", 4, False)


def a_worker_dies_after_the_mail_was_taken(m: Machine) -> None:
    m.attempt(0, "ok", 3, True)
    m.lease_out_and_rescue()
    m.attempt(1, "ok", 4, False)


def a_worker_wakes_after_its_lease(m: Machine) -> None:
    m.claim(0)
    m.intend(0)
    m.t += LEASE + 31
    m.rescue()
    m.tick(WINDOW)
    m.resolve(1, True)
    m.attempt(1, "ok", 4, False)
    m.hand_over(0, "ok", 1)


def the_same_wave_is_planned_twice(m: Machine) -> None:
    m.build_wave(0, 2)


def the_same_report_comes_twice(m: Machine) -> None:
    m.attempt(0, "ok", 4, False)
    m.apply(m.reports[0])
    m.apply(m.reports[0])


def reports_come_out_of_order(m: Machine) -> None:
    m.attempt(0, "ok", 4, False)
    assert m.reports[1][2] is EventKind.DELIVERED
    m.apply(m.reports[1])
    m.apply(m.reports[0])


def a_doubtful_mail_is_resent_and_then_suppressed(m: Machine) -> None:
    m.attempt(0, "late_taken", 4, False)
    m.window_out_and_resend(1)
    m.unsubscribe(0)
    m.attempt(1, "ok", 4, False)  # the other mail, due for longer
    m.attempt(1, "ok", 4, False)  # this one: suppressed now, but it may have left before


def a_stale_refusal_comes_back(m: Machine) -> None:
    m.claim(0)
    m.attempt(1, "ok", 4, False)  # the other mail is out of the way
    m.intend(0)
    m.hand_over(0, "429", 1)  # a definite refusal, but its worker stalls before it is written down
    m.t += LEASE + 31
    m.rescue()
    m.tick(WINDOW)
    m.resolve(1, True)
    m.claim(1)
    m.intend(1)
    m.hand_over(1, "ok", 1)  # taken, not yet written down
    m.settle(0)  # the stale refusal must change nothing
    m.t += 61
    m.claim(2)
    m.intend(2)
    m.hand_over(2, "ok", 1)
    m.settle(2)
    m.settle(1)


PATHS: dict[str, Callable[[Machine], None]] = {
    "retry_on_timeout": answer_after_the_mail_was_taken_but_not_told,
    "rescue_requeues_sending": a_worker_dies_after_the_mail_was_taken,
    "no_intent": a_worker_dies_after_the_mail_was_taken,
    "no_deadline": a_worker_wakes_after_its_lease,
    "no_unique_key": the_same_wave_is_planned_twice,
    "no_event_dedupe": the_same_report_comes_twice,
    "no_event_ranking": reports_come_out_of_order,
    "forget_doubt": a_doubtful_mail_is_resent_and_then_suppressed,
    "no_fence": a_stale_refusal_comes_back,
}


def walk(path: Callable[[Machine], None], mutant: str = "") -> None:
    machine = type("Mutated", (Machine,), {"mutant": mutant})()
    try:
        path(machine)
        machine.everything_holds()
    finally:
        machine.teardown()


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_kept_path_holds_with_every_protection_on(mutant: str) -> None:
    walk(PATHS[mutant])


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_kept_path_breaks_without_its_protection(mutant: str) -> None:
    # ValueError: the table of moves itself refused what the mutant tried.
    with pytest.raises((AssertionError, ValueError)):
        walk(PATHS[mutant], mutant)
