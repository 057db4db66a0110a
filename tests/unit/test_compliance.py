"""The checklist of the field rules is whole, and the page about it names the tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

from tests.checklist import NOT_BUILT, NOTES, RULES, numbered_tests, rules_in
from tests.compliance import table, verdict

ROOT = Path(__file__).parents[2]
TESTS = numbered_tests(ROOT / "tests")


def test_the_checklist_has_every_number_once() -> None:
    parts = {"A": range(1, 22), "B": range(1, 18), "C": range(1, 28), "D": range(1, 14), "F": range(7, 10)}
    assert list(RULES) == [f"{part}{n}" for part, numbers in parts.items() for n in numbers]


def test_every_rule_has_a_test_or_a_reason_why_it_is_not_built() -> None:
    assert [rule for rule in RULES if not TESTS[rule] and rule not in NOT_BUILT] == []
    assert [rule for rule in NOT_BUILT if TESTS[rule]] == []
    assert {*NOT_BUILT, *NOTES} <= set(RULES)


def test_a_bare_number_is_a_field_rules_and_other_lists_say_their_name() -> None:
    assert rules_in("test_a1_a2_bulk_mail") == ["A1", "A2"]
    assert rules_in("test_c12_fault_f4_who_dies") == ["C12"]
    assert rules_in("test_threat_b3_x") == rules_in("test_fault_f7_x") == rules_in("test_a_letter_a1_x") == []
    bare = re.compile(r"def (test_(?:[a-f]\d+_)+\w*)")
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name in bare.findall(path.read_text("utf-8")):
            numbers = re.match(r"test_((?:[a-f]\d+_)+)", name)
            assert numbers is not None
            assert set(numbers[1].upper().strip("_").split("_")) <= set(RULES), f"{path.name}: {name}"


def test_the_page_is_what_the_tests_are_named_today() -> None:
    everything = {test for tests in TESTS.values() for test in tests}
    page = (ROOT / "docs" / "compliance.md").read_text("utf-8")
    assert page == table(TESTS, ran=everything, failed=set()), "run the command in the page's head again"


def test_a_rule_passes_only_when_all_its_tests_ran_and_none_failed() -> None:
    tests = ["t::test_b1_x", "t::test_b1_y"]
    assert verdict("B1", tests, ran=set(tests), failed=set()) == "passes"
    assert verdict("B1", tests, ran=set(tests[:1]), failed=set()) == "not run"
    assert verdict("B1", tests, ran=set(tests), failed=set(tests[1:])) == "**fails**"
    assert verdict("B1", [], ran=set(), failed=set()) == "no test"
