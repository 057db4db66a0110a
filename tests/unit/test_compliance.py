"""The checklists of field rules and faults are whole, and the pages about them name the tests that there are."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.checklist import RULES, rules_in
from tests.compliance import FAULT_MATRIX, FIELD_RULES, Page, table, verdict
from tests.matrix import FAULTS, faults_in

ROOT = Path(__file__).parents[2]

each_page = pytest.mark.parametrize(
    ("page", "path"), [(FIELD_RULES, "compliance.md"), (FAULT_MATRIX, "faults.md")], ids=["rules", "faults"]
)


def test_the_checklists_have_every_number_once() -> None:
    parts = {
        "A": range(1, 22),
        "B": range(1, 18),
        "C": range(1, 28),
        "D": range(1, 14),
        "E": range(1, 9),
        "F": range(7, 10),
    }
    assert list(RULES) == [f"{part}{n}" for part, numbers in parts.items() for n in numbers]
    assert list(FAULTS) == [f"F{n}" for n in range(1, 46)]


@each_page
def test_every_row_has_a_test_or_a_reason_why_it_is_not_built(page: Page, path: str) -> None:
    tests = page.tests()
    assert [row for row in page.rows if not tests[row] and row not in page.not_built] == []
    assert [row for row in page.not_built if tests[row]] == []
    assert {*page.not_built, *page.notes} <= set(page.rows)


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


def test_a_faults_number_stands_after_the_word() -> None:
    assert faults_in("test_fault_f1_f2_f5_who_dies") == ["F1", "F2", "F5"]
    assert faults_in("test_c12_fault_f4_who_dies") == ["F4"]
    assert faults_in("test_f7_x") == faults_in("test_a_fault_of_ours") == []
    named = re.compile(r"def (test_\w*?fault_f\d\w*)")
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name in named.findall(path.read_text("utf-8")):
            assert faults_in(name), f"{path.name}: {name}"


@each_page
def test_the_page_is_what_the_tests_are_named_today(page: Page, path: str) -> None:
    tests = page.tests()
    everything = {test for found in tests.values() for test in found}
    written = (ROOT / "docs" / path).read_text("utf-8")
    assert written == table(page, tests, ran=everything, failed=set()), "run the command in the page's head again"


def test_a_row_passes_only_when_all_its_tests_ran_and_none_failed() -> None:
    tests = ["t::test_b1_x", "t::test_b1_y"]
    assert verdict(FIELD_RULES, "B1", tests, ran=set(tests), failed=set()) == "passes"
    assert verdict(FIELD_RULES, "B1", tests, ran=set(tests[:1]), failed=set()) == "not run"
    assert verdict(FIELD_RULES, "B1", tests, ran=set(tests), failed=set(tests[1:])) == "**fails**"
    assert verdict(FIELD_RULES, "B1", [], ran=set(), failed=set()) == "no test"
    assert verdict(replace(FIELD_RULES, not_built={"B1": "why"}), "B1", [], ran=set(), failed=set()) == "not built"
