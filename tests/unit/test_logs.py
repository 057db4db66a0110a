"""The last net: whatever slips into a log line, keys, logins and addresses do not get out."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from outreach import logs

KEY = "SG.aBcDeFgHiJkLmNoPqRsTuV.0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_away_from_a_terminal_every_line_is_json_with_its_ids(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(process="web")

    structlog.get_logger().info("batch_sent", delivery=7, stream="act")

    (line,) = lines(capsys)
    assert (line["event"], line["delivery"], line["stream"], line["level"]) == ("batch_sent", 7, "act", "info")
    assert line["process"] == "web"
    assert str(line["timestamp"]).endswith("Z")


@pytest.mark.parametrize(
    "secret", [KEY, "jane.doe+tag@example.org", "redis://:pa55word@cache/0", "smtp://user:pa55word@mail.example.org"]
)
def test_secrets_and_addresses_are_taken_out_wherever_they_hide(
    capsys: pytest.CaptureFixture[str], secret: str
) -> None:
    logs.set_up()

    structlog.get_logger().warning(f"it said {secret}", inside={"deep": [f"<{secret}>"]}, error=ValueError(secret))
    logging.getLogger("some.library").error("could not reach %s", secret)
    try:
        raise RuntimeError(f"no luck with {secret}")
    except RuntimeError:
        structlog.get_logger().exception("broke")

    text = capsys.readouterr().err
    assert len(text.splitlines()) == 3
    assert not any(word in text for word in ("aBcDeFgH", "jane", "pa55word"))


def test_our_own_ids_are_left_as_they_are() -> None:
    assert logs.redact("delivery jx5oadmokzlbk3dx, letters@%h, 12:30, v1.2.3") == (
        "delivery jx5oadmokzlbk3dx, letters@%h, 12:30, v1.2.3"
    )


def test_the_provider_library_never_prints_its_requests(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(level=logging.DEBUG)

    logging.getLogger("python_http_client.client").debug("Authorization: Bearer …")
    logging.getLogger("urllib3.connectionpool").debug("POST /v3/mail/send")

    assert capsys.readouterr().err == ""
