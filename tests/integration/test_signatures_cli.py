"""`outreach signatures …`: the options and the JSON that machines hold on to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from outreach.cli.app import app
from outreach.domain.deliveries import State
from outreach.errors import OutreachError
from outreach.models import SignatureState
from tests import factories
from tests.integration.test_moderation import counted, states
from tests.integration.test_wave_cli import scene
from tests.integration.wave_scenes import Scene

__all__ = ["scene"]


def ask(*words: str) -> dict[str, Any]:
    """One command with --json; its answer."""
    result = CliRunner().invoke(app, ["signatures", *words, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


@pytest.fixture
def refs(scene: Scene) -> list[str]:
    with scene.db.begin() as session:
        campaign = factories.campaign(session, slug="rents")
        found = []
        for n in range(3):
            signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED, name=f"Bot {n}")
            signature.suspect = "burst"
            factories.delivery(session, signature, state=State.HELD, reason="suspect")
            found.append(signature.ref)
    return found


def test_suspects_are_listed_cleared_ended_and_taken_back(scene: Scene, refs: list[str]) -> None:
    listed = ask("suspects", "--campaign", "rents", "--reason", "burst")
    assert listed["reasons"] == {"burst": 3}
    assert [row["ref"] for row in listed["signatures"]] == refs[::-1]
    assert ask("clear", refs[0]) == {"signatures": 1, "letters": 1, "asked": 0}

    words = ("invalidate", "--campaign", "rents", "--why", "bots", "--reason", "any", "--name", "bot *")
    shown = ask(*words)
    assert (shown["applied"], shown["total"], shown["unsent"], shown["gone"]) == (False, 2, 2, 0)
    assert counted(scene.db) == 1
    done = ask(*words, "--apply")["invalidation"]
    assert (done["ended"], done["total"], done["reason"]) == (2, 2, "bots")
    assert states(scene.db) == {"queued": 1, "cancelled": 2}

    back = ask("undo", str(done["id"]))
    assert (back["ended"], back["undone_by"]) == (0, "cli")
    assert states(scene.db) == {"queued": 1, "held:suspect": 2}


@pytest.mark.parametrize(
    "words",
    [
        ("clear", "nobody"),
        ("undo", "77"),
        ("invalidate", "--campaign", "rents", "--why", "x"),
        ("invalidate", "--campaign", "rents", "--why", "x", "--name", "*"),
        ("invalidate", "--campaign", "rents", "--why", "x", "--name", "nobody", "--apply"),
        ("invalidate", "--campaign", "no-such", "--why", "x", "--name", "b*"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(scene: Scene, refs: list[str], words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, ["signatures", *words])
    assert isinstance(result.exception, OutreachError), result.output
    assert str(result.exception).count("\n") == 0
