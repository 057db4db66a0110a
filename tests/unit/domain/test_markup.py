"""Mails that came as a page only."""

from __future__ import annotations

import pytest

from outreach.domain.markup import LONGEST_PAGE, text_of_page
from outreach.domain.quoting import part


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>Dear Jane,</p><p>yes &amp; soon.<br>Alex</p>", "Dear Jane,\n\nyes & soon.\nAlex"),
        ("<div>One</div><div>Two</div>", "One\nTwo"),
        ("a<br><br>b", "a\n\nb"),
        ("<ul><li>One<li>Two</ul>", "One\nTwo"),
        ("<table><tr><td>Yes</td><td>No</td></tr></table>", "Yes\nNo"),
        ('<a href="https://track.example/x">our page</a>', "our page"),
        ("<style>p{color:red}</style><script>alert(1)</script>Yes.", "Yes."),
        ("<head><title>No</title><meta></head><body>Yes.</body>", "Yes."),
        ("<head><title>No<body>Yes.</body>", "Yes."),
        ("<p>Yes.</p><blockquote><p>Dear Mayor,</p>build it</blockquote>", "Yes.\n\n> Dear Mayor,\n>\n> build it"),
        ("Yes.<img src=x onerror=alert(1)>", "Yes."),
        ("<b>unclosed <i>words", "unclosed words"),
        ("", ""),
        ("no markup at all", "no markup at all"),
        ("<!-- hidden -->Yes. 1 < 2", "Yes. 1 < 2"),
        ("<![CDATA[x]]>Yes.", "Yes."),
    ],
)
def test_a_page_becomes_what_a_person_would_read(page: str, text: str) -> None:
    assert text_of_page(page) == text


def test_the_quotation_of_a_page_is_split_off_like_any_other() -> None:
    page = (
        "<div>Yes, we will.</div><br><div class='gmail_quote'><div>On Mon, 2 Mar 2026 at 12:05, Jane &lt;<a "
        "href='mailto:l@example.org'>l@example.org</a>&gt; wrote:<br></div><blockquote>Dear Mayor,</blockquote></div>"
    )
    parted = part(text_of_page(page))
    assert parted.written == "Yes, we will."
    assert parted.quoted.endswith("> Dear Mayor,")


def test_the_original_below_a_page_of_outlooks_is_split_off_too() -> None:
    page = (
        '<div class="WordSection1"><p class="MsoNormal">S\u00ed, lo haremos.<o:p></o:p></p></div><hr tabindex="-1">'
        '<div id="divRplyFwdMsg"><font><b>De:</b> Jane Doe &lt;letters@example.org&gt;<br><b>Enviado:</b> lunes, 2 de '
        "marzo de 2026 12:05<br><b>Para:</b> Alcald\u00eda<br><b>Asunto:</b> Un refugio</font></div>"
        "<div><p>Estimado alcalde:</p></div>"
    )
    parted = part(text_of_page(page))
    assert parted.written == "S\u00ed, lo haremos."
    assert parted.quoted.startswith("De: Jane Doe <letters@example.org>\nEnviado: lunes")


def test_no_more_of_a_page_is_read_than_an_office_would_write() -> None:
    assert len(text_of_page("<p>x</p>" * LONGEST_PAGE)) <= LONGEST_PAGE
