"""Cleaning and wrapping: what people type, made safe to carry."""

from __future__ import annotations

import unicodedata
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from outreach.domain.words import (
    NAME_LIMIT,
    WIDTH,
    WORDS_LIMIT,
    clean_name,
    clean_place,
    clean_words,
    one_line,
    short_line,
    wrap,
    wrapped_lines,
)

ANYTHING = st.one_of(
    st.text(),
    st.text(st.characters(categories=["Cc", "Cf", "Mn", "Me", "Zl", "Zp", "Zs", "Lo", "Lu", "Co", "Cs"])),
    st.text(st.sampled_from("aé\u0301\u0323\u200c\u200d\u202e\u2028\r\n\0\t =?@<>ب ا क्षी़ं. www.com:/")),
)


def _shows_everything(text: str, *, breaks: str = "") -> bool:
    joiners = "\u200c\u200d"
    return all(
        sign in breaks or sign in joiners or sign == " " or unicodedata.category(sign)[0] not in "CZ" for sign in text
    )


@settings(deadline=None)
@given(ANYTHING)
@example("Jane\r\nBcc: everyone@example.org")
@example("=?utf-8?q?Minister?=")
@example("\u202egnp.exe")
@example("e" + "\u0301" * 500)
@example("李雷")
@example("Ann \u200bLee")
def test_any_text_is_refused_as_a_name_or_becomes_one_that_is_safe(text: str) -> None:
    try:
        name = clean_name(text)
    except ValueError:
        return
    assert 2 <= len(name) <= NAME_LIMIT
    assert _shows_everything(name)
    assert not set(name) & set("@<>\r\n\0")
    assert not any(sign in name for sign in ("=?", "://"))
    assert name == unicodedata.normalize("NFC", name) == " ".join(name.split())
    assert clean_name(name) == name


@settings(deadline=None)
@given(ANYTHING)
@example('Minister" <m@gov.example>, "')
@example('Ann "Annie" Lee, Jr.')
@example("Ünal Çelik 🙂")
def test_a_clean_name_makes_one_address_and_comes_back_the_same(text: str) -> None:
    try:
        name = clean_name(text)
    except ValueError:
        return
    mail = EmailMessage(policy=SMTP.clone(max_line_length=998))
    mail["From"] = Address(f"{name} via Fair Act", "letters", "letters.example.org")
    mail["To"] = Address("Mayor", "mayor", "example.org")
    mail.set_content("Hello")
    read = BytesParser(policy=SMTP).parsebytes(mail.as_bytes())
    assert [str(key) for key in read if key.lower() in ("from", "to", "cc", "bcc", "subject")] == ["From", "To"]
    (sender,) = read["From"].addresses
    assert sender.addr_spec == "letters@letters.example.org"
    assert " ".join(sender.display_name.split()) == f"{name} via Fair Act"


@settings(deadline=None)
@given(ANYTHING)
@example("a\r\nb\rc\u2028d\x0be")
@example("\n\n\n")
@example("tab\tbed")
def test_any_own_words_are_refused_or_become_plain_paragraphs(text: str) -> None:
    try:
        words = clean_words(text)
    except ValueError:
        return
    assert len(words) <= WORDS_LIMIT
    assert _shows_everything(words, breaks="\n")
    assert "\n\n\n" not in words
    assert [line.rstrip() for line in words.strip("\n").split("\n")] == words.split("\n")
    assert clean_words(words) == words


@settings(deadline=None)
@given(st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="\u115f\u1160\u2800\u3164\uffa0")))
def test_what_shows_is_never_changed_in_own_words(text: str) -> None:
    text = unicodedata.normalize("NFC", text)[:WORDS_LIMIT]
    if any(unicodedata.category(sign)[0] == "M" for sign in text):
        return
    assert clean_words(text) == text


@pytest.mark.parametrize("breaking", ["\r", "\n", "\0", "\r\n", "\u2028", "\u2029", "\x85"])
def test_a_line_break_in_a_name_is_refused_and_never_repaired(breaking: str) -> None:
    with pytest.raises(ValueError, match=r"^Names go on one line\.$"):
        clean_name(f"Jane{breaking}Doe")
    with pytest.raises(ValueError, match=r"on one line\.$"):
        clean_place(f"Spring{breaking}field")
    with pytest.raises(ValueError, match=r"^A title goes on one line\.$"):
        one_line(f"A{breaking}B", what="A title")


@pytest.mark.parametrize(
    "name",
    [
        "Secretary@example.gov",
        "Jane <jane>",
        "see https://example.org",
        "www.example.org",
        "Visit evil.com",
        "cheap.shop now",
        "Jane＠example.org",
        "ｗｗｗ．example",
    ],
)
def test_a11_a_name_that_holds_an_address_or_link_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="address or a link"):
        clean_name(name)


def test_a10_a_name_that_holds_an_encoded_word_is_refused() -> None:
    with pytest.raises(ValueError, match=r"=\?"):
        clean_name("=?utf-8?q?evil?=")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Jane   Doe ", "Jane Doe"),
        ("Jane\tDoe", "Jane Doe"),
        ("Jane\u00a0Doe", "Jane Doe"),
        ("Dr.Jane Doe", "Dr. Jane Doe"),
        ("J.R.R. Tolkien", "J.R.R. Tolkien"),
        ("Jane \u202eeoD", "Jane eoD"),
        ("Jo\u200bhn", "John"),
        ("Zoe\u0308", "Zoë"),
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("Jane\u200cDoe", "JaneDoe"),
        ("王小明", "王小明"),
        ("Renée O’Neil-Ünlü, Jr.", "Renée O’Neil-Ünlü, Jr."),
        ("Ann 🙂", "Ann 🙂"),
        ("क़ुंवर", "क़ुंवर"),
    ],
)
def test_threat_a15_names_of_all_scripts_stay_and_hidden_signs_go(typed: str, kept: str) -> None:
    assert clean_name(typed) == unicodedata.normalize("NFC", kept)


def test_threat_a15_accents_that_pile_up_are_cut_to_two() -> None:
    name = clean_name("Za" + "\u0335\u0310\u0351\u0329" * 125 + "lgo")
    assert sum(unicodedata.combining(sign) != 0 for sign in name) == 2


@pytest.mark.parametrize("name", ["", "  ", "J", "12", "\u3164\u3164\u3164", "x" * (NAME_LIMIT + 1)])
def test_what_cannot_stand_under_a_letter_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match=r"name"):
        clean_name(name)


def test_own_words_over_the_limit_are_refused_with_both_numbers() -> None:
    assert clean_words("x" * WORDS_LIMIT) == "x" * WORDS_LIMIT
    with pytest.raises(ValueError, match=r"at most 2,000 characters; these are 2,001\.$"):
        clean_words("x" * (WORDS_LIMIT + 1))


def test_own_words_keep_paragraphs_lists_and_template_syntax() -> None:
    typed = "I wait.\r\n\r\n\r\n\r\n1. {{7*7}}\t<b>\r\n   -name- [unsubscribe] %tag%"
    assert clean_words(typed) == "I wait.\n\n1. {{7*7}}    <b>\n   -name- [unsubscribe] %tag%"


@settings(deadline=None)
@given(ANYTHING)
def test_any_text_can_be_shortened_to_a_line_fit_for_a_header(text: str) -> None:
    line = short_line(text, 40)
    assert len(line) <= 40
    assert _shows_everything(line)
    assert "=?" not in line


PROSE = st.lists(st.text(st.sampled_from("ab é漢.-1)\u0301"), max_size=200), max_size=6).map("\n".join)


@settings(deadline=None)
@given(PROSE)
@example("1. " + "word " * 60)
@example(" " * 90 + "x")
@example("x" * 3000)
@example("e" + "\u0301" * 3000)
def test_wrapping_only_moves_spaces_and_is_stable(text: str) -> None:
    wrapped = wrap(text)
    assert "".join(wrapped.split()) == "".join(text.split())
    assert wrap(wrapped) == wrapped
    assert len(wrapped_lines(text)) == len(text.split("\n"))
    for line in wrapped.split("\n"):
        assert len(line.encode()) <= 998
        assert len(line) <= WIDTH or " " not in line.strip()[3:]


def test_lines_that_fit_are_left_alone() -> None:
    text = "Dear  Mayor,\n\n" + "x " * 35 + "\n   indented\n"
    assert wrap(text) == text


def test_a_list_item_hangs_under_its_first_word() -> None:
    first, second = wrap("  12) " + "shelter " * 15).split("\n")
    assert first.startswith("  12) shelter")
    assert second.startswith("      shelter")


def test_a_web_address_is_never_broken() -> None:
    address = "https://example.org/" + "long-path/" * 30
    lines = wrap(f"Read more about all of this at the following address: {address} and then write to us.").split("\n")
    assert address in lines
