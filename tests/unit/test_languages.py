"""What a language is, how it says things, and how one is chosen."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from jinja2 import Environment, StrictUndefined

from outreach.domain.sentences import _, ngettext, sentence_of
from outreach.languages import direction, language, languages, preferred, spoken


def template(source: str, code: str, **values: object) -> str:
    env = Environment(autoescape=True, undefined=StrictUndefined)
    language(code).install(env)
    return env.from_string(source).render(values)


def test_a_sentence_is_its_own_english() -> None:
    sentence = _("A name can have at most %(limit)s characters.", limit=1200)

    assert sentence == "A name can have at most 1,200 characters."
    assert str(ValueError(sentence)) == sentence
    assert sentence_of(ValueError(sentence)).message == sentence.message  # type: ignore[attr-defined]
    assert [ngettext("%(num)s letter", "%(num)s letters", n) for n in (0, 1, 2000)] == [
        "0 letters",
        "1 letter",
        "2,000 letters",
    ]


def test_a_sentence_is_said_in_the_readers_language_wherever_it_is_printed() -> None:
    sentence = _("There is a problem")

    assert language("es").say(sentence) == "Hay un problema"
    assert template("{{ x }} {{ _('Error:') }}", "es", x=sentence) == "Hay un problema Error:"
    assert template("{{ x }}", "es", x="There is a problem") == "There is a problem"  # a signer's text stays theirs


def test_what_is_put_into_a_message_is_escaped_and_the_message_is_not() -> None:
    source = "{{ _('<b>%(name)s</b>', name=name) }} {% trans %}<i>{{ name }}</i>{% endtrans %}"

    assert template(source, "en", name="<&>") == "<b>&lt;&amp;&gt;</b> <i>&lt;&amp;&gt;</i>"


def test_numbers_and_days_in_messages_are_written_as_the_language_writes_them() -> None:
    source = "{{ ngettext('%(num)s by %(day)s', '%(num)s by %(day)s', n, day=day) }}; {{ n | number }}, {{ day | day }}"

    assert template(source, "es", n=12483, day=date(2026, 11, 23)) == (
        "12,483 by 23 de noviembre de 2026; 12,483, 23 de noviembre de 2026"
    )
    assert language("en").day(date(2026, 11, 23)) == "23 November 2026"
    assert language("es").moment(datetime(2026, 11, 23, 9, tzinfo=UTC)) == "lun 23 nov 2026, 09:00 UTC"
    assert [language(code).listed(["A", "B", "C"]) for code in ("en", "es")] == ["A, B and C", "A, B y C"]


def test_every_language_knows_its_name_and_its_direction() -> None:
    assert [(each.code, each.name) for each in languages()] == [("en", "English"), ("es", "Español")]
    assert [direction(code) for code in ("ar", "he", "fa-IR", "en", "pt-BR", "xx", "")] == ["rtl"] * 3 + ["ltr"] * 4


@pytest.mark.parametrize(
    ("accepted", "answer"),
    [
        ("es", "es"),
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("en-US,en;q=0.9,es;q=0.8", "en"),
        ("de, es;q=0.5, en;q=0.4", "es"),
        ("es;q=0, en;q=0.1", "en"),
        ("de", ""),
        ("", ""),
        ("*", ""),
        (";q=x,es;q=none," * 400, ""),
    ],
)
def test_the_browsers_wish_is_read_by_its_order(accepted: str, answer: str) -> None:
    assert preferred(accepted) == answer


def test_a_code_we_do_not_speak_is_english() -> None:
    assert spoken("es_AR") == "es"
    assert spoken("tlh") == ""
    assert language("tlh").code == "en"
