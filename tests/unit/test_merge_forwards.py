"""An office's answer as the mail its signer gets."""

from __future__ import annotations

from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from outreach.domain.messages import Attachment, Mailbox, Message
from outreach.merge import AnswerFields, compose_forward
from outreach.transports.mime import to_bytes
from tests.conftest import make_settings

NOW = datetime(2026, 3, 3, 9, tzinfo=UTC)
ANSWER = AnswerFields("Mayor Alex Rivera", "Sam Staffer, office.example.net", date(2026, 3, 3), "Yes, we will.\n\nAlex")


def forward(folder: Path, answer: AnswerFields = ANSWER, **changes: Any) -> Message:
    given: dict[str, Any] = {
        "settings": make_settings(folder, organisation="Fair Streets", act_from="act@act.example.org"),
        "ref": "abcdefghijklmnop",
        "attempt": 1,
        "to": Mailbox("Jane Doe", "jane@example.org"),
        "campaign": "shelters",
        "campaign_title": "A bus shelter for every stop",
        "link": "https://act.example.org/letter/secret",
        "now": NOW,
    }
    return compose_forward(answer, **(given | changes))


def test_e5_it_is_from_us_and_quotes_the_answer_as_text(tmp_path: Path) -> None:
    answer = AnswerFields("Mayor", "", NOW.date(), "Yes.\n<script>alert(1)</script>\nhttps://office.example.net")
    mail = forward(tmp_path, answer)
    assert (mail.sender.name, mail.sender.address) == ("Mayor via Fair Streets", "act@act.example.org")
    assert not any(line != line.rstrip() for line in mail.text.split("\n"))
    assert "\n> Yes.\n> <script>alert(1)</script>\n" in mail.text
    assert "<script>" not in mail.html
    assert 'href="https://office' not in mail.html
    assert dict(mail.headers)["X-OE-Loop"] == "act.example.org"


def test_it_says_what_answering_it_does_and_what_is_not_proven(tmp_path: Path) -> None:
    told = " ".join(forward(tmp_path).text.split())
    assert "your answer comes to us and not to the office" in told
    assert "More than that we cannot prove." in told
    assert "Who wrote it: Sam Staffer, office.example.net." in told


def test_it_speaks_its_readers_language(tmp_path: Path) -> None:
    mail = forward(tmp_path, language="es")
    assert mail.subject == "Mayor Alex Rivera respondió a su carta"
    assert "3 de marzo de 2026" in mail.text
    assert '<html lang="es"' in mail.html


@pytest.mark.parametrize(
    "target", ["Mayor <m@office.example.net>", 'Mayor "Alex", B@d', "Bürgermeisterin Ådne Ö", "M" * 300]
)
def test_a7_e5_no_name_of_an_office_makes_another_sender(tmp_path: Path, target: str) -> None:
    answer = AnswerFields(target, "", NOW.date(), "Yes.")
    parsed = message_from_bytes(to_bytes(forward(tmp_path, answer)), policy=policy.default)
    (sender,) = parsed["From"].addresses
    assert sender.addr_spec == "act@act.example.org"
    assert "@" not in sender.display_name


def test_a_long_answer_is_cut_and_its_lines_stay_short_enough_for_mail(tmp_path: Path) -> None:
    answer = AnswerFields("Mayor", "", NOW.date(), "word " * 10_000 + "\n" + "ü" * 3_000)
    mail = forward(tmp_path, answer)
    assert "It goes on." in mail.text
    assert len(mail.text) < 30_000
    assert max(map(len, to_bytes(mail).split(b"\r\n"))) <= 998


def test_files_go_along_and_those_left_out_are_named(tmp_path: Path) -> None:
    answer = AnswerFields(
        "Mayor", "", NOW.date(), "", (Attachment("1-scan.pdf", "application/pdf", b"%PDF-1.7"),), ("run.exe", "x.zip")
    )
    mail = forward(tmp_path, answer)
    assert "One file came along" in mail.text
    assert "run.exe, x.zip" in mail.text
    assert "no text that we can show" in " ".join(mail.text.split())
    parsed = message_from_bytes(to_bytes(mail), policy=policy.default)
    assert [part.get_filename() for part in parsed.iter_attachments()] == ["1-scan.pdf"]
