"""The points at which tests stop a process: off unless a test asks for them, and refused anywhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from outreach import faultpoints
from outreach.errors import WrongSetting
from tests.conftest import make_settings

ROOT = Path(__file__).parents[2]
REACHING = "from outreach.faultpoints import reached\nfor _ in range(4): print(reached('after_intent'), flush=True)"


def reaching(**environ: str) -> subprocess.CompletedProcess[str]:
    """A process of its own that reaches one point four times."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OUTREACH_")}
    environ = inherited | {"PYTHONPATH": str(ROOT)} | {f"OUTREACH_{name}": value for name, value in environ.items()}
    command = [sys.executable, "-c", REACHING]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, start_new_session=True)


@pytest.mark.parametrize("action", ["", "=kill", "=kill_group"])
def test_the_process_ends_when_it_reaches_its_point_for_the_given_time(action: str) -> None:
    ended = reaching(ENV="test", FAULTPOINTS=f"before_claim,after_intent:3{action}")
    assert ended.returncode == -9
    assert ended.stdout.count("None") == 2


@pytest.mark.parametrize(
    "environ",
    [{}, {"ENV": "test"}, {"ENV": "test", "FAULTPOINTS": "after_claim"}, {"FAULTPOINTS": "after_intent"}],
)
def test_nothing_happens_at_another_point_or_outside_a_test(environ: dict[str, str]) -> None:
    assert reaching(**environ).stdout.count("None") == 4


def test_outside_a_test_the_settings_refuse_to_be_read(tmp_path: Path) -> None:
    assert make_settings(tmp_path, faultpoints="after_accept:2=stop").env == "test"
    with pytest.raises(WrongSetting, match="OUTREACH_ENV is not “test”") as refused:
        make_settings(tmp_path, faultpoints="after_accept", env="production")
    assert refused.value.where == "OUTREACH_FAULTPOINTS"


@pytest.mark.parametrize("text", ["nowhere", "after_accept:soon", "after_accept=explode"])
def test_a_point_that_does_not_exist_is_a_wrong_setting(text: str) -> None:
    with pytest.raises(WrongSetting):
        faultpoints.read(text)
