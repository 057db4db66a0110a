"""The second line of defence: a new letter is tried out where it can do no harm, and refused in time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from outreach.cli.letter import app
from outreach.errors import BadTemplate
from outreach.merge import check_letter, checking
from outreach.merge.child import OUTPUT
from tests.unit.test_merge_grammar import ATTACKS

ROOT = Path(__file__).parents[2]
GOOD = ("{{ campaign.title }}", "{{ target.salutation }}", "Please build it.", "{{ signer.name }}")


def test_a_good_letter_passes() -> None:
    check_letter(*GOOD)
    check_letter("S", "", "{{ signer.own_words }}", "{{ signer.name }}")
    check_letter("S", "", "{% if signer.own_words %}I add:\n\n{{ signer.own_words }}{% endif %}\nEnd.", "")


@pytest.mark.parametrize(
    "body",
    [
        "Hello.{% if signer.city %}{{ signer.own_words }}{% endif %}",
        "Hello.{{ 'Yes' if signer.own_words else 'No' }}",
        "Hello. {{ signer.own_words|upper }}",
        "{% for d in demands %}{% if loop.index == 9 %}{{ signer.own_words }}{% endif %}{% endfor %}Hello",
    ],
)
def test_a_letter_that_drops_or_changes_own_words_for_anybody_is_refused(body: str) -> None:
    with pytest.raises(BadTemplate, match="own words are missing from the letter, or changed"):
        check_letter("S", "", body, "")


def test_a_letter_that_is_empty_for_somebody_is_refused() -> None:
    with pytest.raises(BadTemplate, match="subject comes out empty"):
        check_letter("{{ signer.postal_code }}", "", "Hello", "")
    with pytest.raises(BadTemplate, match="letter comes out empty"):
        check_letter("S", "", "{{ signer.own_words }}", "")


def test_a_letter_too_long_for_the_longest_signer_is_refused() -> None:
    with pytest.raises(BadTemplate, match=r"comes out at .* characters"):
        check_letter("S", "", "Hello\n" + "{{ signer.own_words }}\n" * 10, "")


def test_a_letter_that_writes_far_too_much_is_refused() -> None:
    body = "{% for d in demands %}" + "{{ signer.own_words }}" * 1800 + "{% endfor %}"
    with pytest.raises(BadTemplate):
        check_letter("S", "", body, "")


def _trial(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Try a letter out with `script` run in its place, under the same limits."""
    start = "import sys; sys.path.insert(0, sys.argv[1]); from outreach.merge import child; child._limit()\n"
    monkeypatch.setattr(checking, "_START", start + script)
    checking._try_out(GOOD)


@pytest.mark.parametrize(
    "script",
    [
        "x = 'a' * 10**9; print('null')",
        "while True: pass",
        f"sys.stdout.write('x' * {OUTPUT * 4}); sys.stdout.flush()",
        "raise SystemExit(3)",
        "import os; os.abort()",
        "pass",
    ],
    ids=["memory", "cpu", "output", "exit", "abort", "silence"],
)
def test_threat_a5_code_that_got_past_the_list_is_stopped_and_the_letter_refused(
    monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    with pytest.raises(BadTemplate, match="more time or memory"):
        _trial(monkeypatch, script)


def test_threat_a5_what_stands_still_is_refused_for_the_clock_after_a_second_try(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(checking, "WALL_SECONDS", 1)
    tries = tmp_path / "tries"
    with pytest.raises(BadTemplate, match=r"not done after 1 seconds, twice.*very busy") as refused:
        _trial(monkeypatch, f"open({str(tries)!r}, 'a').write('.'); import time; time.sleep(60)")
    assert len(tries.read_text()) <= 2, "a busy machine may not even have begun"
    assert "letter" in refused.value.where


def test_a_try_that_the_machine_was_too_busy_for_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([subprocess.TimeoutExpired("trial", 20), b"null"])

    def answer(_: object) -> bytes:
        told = next(answers)
        if isinstance(told, Exception):
            raise told
        return told

    monkeypatch.setattr(checking, "_answer", answer)
    checking._try_out(GOOD)
    assert next(answers, "used up") == "used up"


def test_threat_a3_the_trial_knows_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTREACH_SECRET_KEY", "a secret of ours")
    tell = "import json, os; print(json.dumps({'message': ' '.join(os.environ), 'where': '', 'advice': ''}))"
    with pytest.raises(BadTemplate) as answer:
        _trial(monkeypatch, tell)
    assert set(answer.value.message.split()) <= {"LC_ALL", "LC_CTYPE"}


def test_c23_all_bombs_together_are_refused_within_200_megabytes_and_few_cpu_seconds() -> None:
    script = f"""
import resource, sys
sys.path.insert(0, {str(ROOT)!r})
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
from outreach.errors import BadTemplate
from outreach.merge import check_letter
refused = 0
for attack in sys.stdin.read().split("\\0"):
    try:
        check_letter("Subject", "", attack, "")
    except BadTemplate:
        refused += 1
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(refused, status["VmHWM"].split()[0])  # not ru_maxrss: that begins with what the tests' own process used
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], input="\0".join(ATTACKS), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    refused, kilobytes = map(int, done.stdout.split())
    assert refused == len(ATTACKS)
    assert kilobytes < 200_000


def test_the_command_lists_every_merge_field() -> None:
    plain, machine = CliRunner().invoke(app, ["fields"]), CliRunner().invoke(app, ["fields", "--json"])
    fields = json.loads(machine.stdout)["fields"]
    assert {"signer.name", "signer.own_words", "demands"} <= {field["name"] for field in fields}
    assert all(field["name"] in plain.stdout and field["about"] and field["example"] for field in fields)


def test_the_command_shows_a_fit_template_as_a_letter(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("\ufeffSubject: About {{ campaign.title }}\n\n{{ target.salutation }}\n\nPlease.\n", "utf-8")
    answer = CliRunner().invoke(app, ["check", str(path), "--json"], catch_exceptions=False)
    told = json.loads(answer.stdout)
    assert told["ok"] is True
    assert told["fields"] == ["campaign.title", "target.salutation"]
    assert told["sample"]["subject"] == "About A bus shelter for every stop"
    assert told["sample"]["text"].startswith("Dear Mayor Rivera\n\nPlease.")
    assert "Dear Mayor Rivera" in CliRunner().invoke(app, ["check", str(path)]).stdout


@pytest.mark.parametrize(
    ("content", "where", "message"),
    [
        (b"Subject: Hello\n\n{{ signer.nmae }}\n", "letter body, line 3", "signer.nmae"),
        (b"Subject: {{ x }}\n\nHello\n", "letter subject, line 1", "“x”"),
        (b"Dear Mayor,\nca\xff", "letter.txt, line 2", "not UTF-8"),
        (b"", "letter body", "no body"),
        (b"Subject: only\n", "letter body", "no body"),
    ],
)
def test_the_command_says_where_a_template_is_unfit(tmp_path: Path, content: bytes, where: str, message: str) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(content)
    answer = CliRunner().invoke(app, ["check", str(path)])
    assert answer.exit_code == 1
    assert where in str(answer.exception)
    assert message in str(answer.exception)


def test_the_command_says_when_there_is_no_such_file(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["check", str(tmp_path / "none.txt")])
    assert "cannot be read: No such file" in str(answer.exception)
