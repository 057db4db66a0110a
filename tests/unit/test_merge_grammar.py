"""What a letter's template may hold, and that everything else is refused by name and line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach.domain.letters import FIELD_NAMES, CampaignFields, SignerFields, TargetFields
from outreach.domain.pages.embedded import literal
from outreach.errors import BadTemplate
from outreach.merge import LetterForm
from outreach.merge.grammar import FILTERS, SOURCE_LIMIT

SIGNER = SignerFields("Jane Doe", "Jane", "Springfield", "62701", "I wait each day.")
TARGET = TargetFields("Dear Mayor Rivera,", "Alex Rivera", "Mayor of Springfield")
CAMPAIGN = CampaignFields("A bus shelter for every stop", ("Build it.", "Light it."), "Fair Streets")

#: Faults rows A1 to A5: escapes, leaks and bombs, each with what its message must name.
ATTACKS = {
    "{{ ''.__class__.__mro__ }}": "__class__",
    "{{ signer.__class__.__init__.__globals__ }}": "signer.__class__.__init__.__globals__",
    "{{ signer['__class__'] }}": "signer.__class__",
    "{{ signer[signer.name] }}": "signer.[…]",
    "{{ ('{0.__class__}'|attr('format'))(signer) }}": "Calling",
    "{{ '{0.__class__}'|attr('format') }}": "filter “attr”",
    "{{ '{0.__class__}'.format(signer.name) }}": "….format",
    "{{ '%s'|format(signer.name) }}": "filter “format”",
    "{{ '%1000000000d'|format(1) }}": "filter “format”",
    "{{ '%1000000000d' % 1 }}": "“%”",
    "{{ 'a' * 10**9 }}": "“*”",
    "{{ 10**(10**8) }}": "“**”",
    "{{ 'x'|center(10**8) }}": "filter “center”",
    "{{ 'x'|indent(100000000) }}": "filter “indent”",
    "{{ signer.name|replace('e', 'aaaaaaaaaaaaaa') }}": "filter “replace”",
    "{{ signer.name|map('upper')|list }}": "filter “list”",
    "{{ lipsum(n=200000) }}": "Calling “lipsum(…)”",
    "{{ range(10**9) }}": "Calling “range(…)”",
    "{{ cycler }}": "“cycler”",
    "{{ joiner }}": "“joiner”",
    "{{ namespace }}": "“namespace”",
    "{{ config }}": "“config”",
    "{{ self }}": "“self”",
    "{{ env('DATABASE_URL') }}": "Calling “env(…)”",
    "{{ signer.delete() }}": "Calling “signer.delete(…)”",
    "{{ signer.metadata.secret }}": "signer.metadata.secret",
    "{% for a in demands %}{% for b in demands %}{{ b }}{% endfor %}{% endfor %}": "loop inside a loop",
    "{% for a in demands recursive %}{{ loop(demands) }}{% endfor %}": "plain loop",
    "{% for a in demands if a %}{{ a }}{% endfor %}": "plain loop",
    "{% for a in signer.name %}{{ a }}{% endfor %}": "plain loop",
    "{% for a, b in demands %}{{ a }}{% endfor %}": "name of its own",
    "{% for signer in demands %}{{ signer }}{% endfor %}": "name of its own",
    "{% for signer_name in demands %}{{ signer_name }}{% endfor %}": "name of its own",
    "{% for a in demands %}{{ loop.cycle('x') }}{% endfor %}": "loop.cycle",
    "{% for a in demands %}{{ a.__class__ }}{% endfor %}": "a.__class__",
    "{% for a in demands %}{{ a }}{% endfor %}{{ a }}": "no merge field “a”",
    "{{ loop.index }}": "only inside the loop",
    "{% set x = 'a' %}": "{% set %}",
    "{% set x %}a{% endset %}": "{% set %}",
    "{% macro m() %}{{ m() }}{% endmacro %}": "{% macro %}",
    "{% include '/etc/passwd' %}": "{% include %}",
    "{% import 'os' as os %}": "{% import %}",
    "{% from 'os' import path %}": "{% from %}",
    "{% extends 'base.html' %}": "{% extends %}",
    "{% block x %}{% endblock %}": "{% block %}",
    "{% filter upper %}x{% endfilter %}": "{% filter %}",
    "{% autoescape false %}x{% endautoescape %}": "{% autoescape %}",
    "{% with x = 1 %}{{ x }}{% endwith %}": "{% with %}",
    "{% call signer.name() %}x{% endcall %}": "{% call %}",
    "{% do signer.clear() %}": "'do'",
    "{% debug %}": "'debug'",
    "{{ [1, 2]|length }}": "A list",
    "{{ {'a': 1} }}": "A dictionary",
    "{{ signer.name[0:3] }}": "signer.name.[…]",
    "{{ signer.name is defined }}": "“is”",
    "{{ 1 + 1 }}": "“+”",
    "{{ demands }}": "is a list",
    "{{ demands or 'none' }}": "is a list",
    "{{ demands[0] }}": "demands.0",
    "{{ signer }}": "alone is no text",
    "{{ 'x' if signer.city }}": "without an “else”",
    "{{ " + "9" * 5000 + " }}": "",
    "{{ 99999 }}": "at most 9999",
    "{{ 1e308 }}": "at most 9999",
    "{{ '" + "x" * 501 + "' }}": "at most 500 characters",
    "{{ signer.name|default(signer.city) }}": "fixed text only",
    "{{ signer.name|default(default_value='x') }}": "no such arguments",
    "{{ signer.name|default(*demands) }}": "no such arguments",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}": "",
    "{{ " + "not " * 9000 + "1 }}": "",
    "{{ signer.name" + "|upper" * 5000 + " }}": "nested too deeply",
    "{{ " + "signer.name or " * 2000 + "'x' }}": "nested too deeply",
    "{{ " + "signer.name ~ " * 2000 + "'x' }}": "too many parts",
    "{{ " + "1 < " * 5000 + "1 }}": "too many parts",
    "{{ signer" + ".x" * 5000 + " }}": "no merge field",
    "{% if signer.city %}" * 500 + "x" + "{% endif %}" * 500: "",
    "{% if signer.city %}a" + "{% elif signer.name %}b" * 1500 + "{% endif %}": "“elif”",
    "{{ 'x'": "",
    "{% if %}": "",
    "{% for %}": "",
    "x" * (SOURCE_LIMIT + 1): "a part of a letter may have 40,000",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack[:50])
def test_a_template_that_does_more_than_merge_is_refused_by_name_and_line(attack: str) -> None:
    with pytest.raises(BadTemplate) as refusal:
        LetterForm("Subject", "", "Line one\n" + attack, "")
    assert refusal.value.where.startswith("letter body")
    assert ATTACKS[attack] in refusal.value.message
    if len(attack) < SOURCE_LIMIT and "5000" not in attack and ATTACKS[attack]:
        assert refusal.value.where == "letter body, line 2"
        assert refusal.value.advice


@pytest.mark.parametrize("part", range(4))
def test_every_part_of_a_letter_is_looked_at(part: int) -> None:
    parts = ["Subject", "", "Body", ""]
    parts[part] += "\n{{ ''.__class__ }}"
    with pytest.raises(BadTemplate, match="__class__") as refusal:
        LetterForm(*parts)
    assert refusal.value.where == f"letter {('subject', 'header', 'body', 'footer')[part]}, line 2"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("signer.nmae", "signer.name"),
        ("signer.firstname", "signer.first_name"),
        ("first_name", "signer.first_name"),
        ("name", "signer.name"),
        ("signer.zip_code", None),
        ("signer.own_word", "signer.own_words"),
        ("campaign.titel", "campaign.title"),
        ("target.salutations", "target.salutation"),
        ("demand", "demands"),
    ],
)
def test_a_misspelt_field_is_answered_with_the_nearest(written: str, meant: str | None) -> None:
    with pytest.raises(BadTemplate) as refusal:
        LetterForm("Subject", "", "{{ " + written + " }}", "")
    assert f"“{written}”" in refusal.value.message
    assert refusal.value.advice.endswith("Run `outreach letter fields` to see what there is.")
    assert meant is None or f"Did you mean {meant}?" in refusal.value.advice


def test_an_unknown_filter_is_answered_with_the_nearest() -> None:
    with pytest.raises(BadTemplate, match="“uper”") as refusal:
        LetterForm("Subject", "", "{{ signer.name|uper }}", "")
    assert refusal.value.advice == "Did you mean “upper”?"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("{{ signer.name }}", "Jane Doe"),
        ("{{ signer['city'] }}", "Springfield"),
        ("{{ signer.city or 'our city' }}", "Springfield"),
        ("{{ 'I' if signer.city == 'Springfield' else 'We' }}", "I"),
        ("{{ signer.name ~ ', ' ~ signer.city }}", "Jane Doe, Springfield"),
        ("{{ signer.city|default('x', true)|upper }}", "SPRINGFIELD"),
        ("{% if not signer.city %}a{% elif signer.name %}b{% else %}c{% endif %}", "b"),
        ("{% if demands %}{{ demands|length }} demands{% endif %}", "2 demands"),
        ("{% if 'Spring' in signer.city and demands|length > 1 %}yes{% endif %}", "yes"),
        ("{% for d in demands %}\n{{ loop.index }}) {{ d }}\n{% endfor %}", "1) Build it.\n2) Light it."),
        ("{% for d in demands %}{{ d }}{% if not loop.last %} {% endif %}{% endfor %}", "Build it. Light it."),
        ("{% for d in demands %}{{ d }}{% else %}x{% endfor %}", "Build it.Light it."),
        ("a{# a note #}b", "ab"),
        ("{% raw %}{{ 7*7 }}{% endraw %}", "{{ 7*7 }}"),
    ],
)
def test_what_letters_need_is_allowed(body: str, text: str) -> None:
    letter = LetterForm("Subject", "", body, "{{ signer.own_words }}").write(SIGNER, TARGET, CAMPAIGN)
    assert letter.text == f"{text}\n\nI wait each day."


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_that_is_offered_works(name: str) -> None:
    LetterForm("Subject", "", "{{ signer.name|" + name + " }}", "").write(SIGNER, TARGET, CAMPAIGN)


@pytest.mark.parametrize("name", FIELD_NAMES)
def test_every_field_that_is_offered_can_be_written(name: str) -> None:
    body = "{% for d in demands %}{{ d }}{% endfor %}" if name == "demands" else "{{ " + name + " }}"
    form = LetterForm("Subject", "", body, "")
    assert form.fields == {name}
    form.write(SIGNER, TARGET, CAMPAIGN)


@pytest.mark.parametrize("placeholder", ["[Your Name]", "[NAME]", "[your name]", "[First Name]"])
def test_a_placeholder_left_over_from_a_page_is_refused(placeholder: str) -> None:
    with pytest.raises(BadTemplate, match="as it stands") as refusal:
        LetterForm("Subject", "", f"Dear Mayor,\n\nFrom: {placeholder}", "")
    assert refusal.value.where == "letter body, line 3"


@pytest.mark.parametrize("hidden", ["\0", "\x1b", "\x07", "\u2028", "\ud800", "\x0c"])
def test_a_character_that_no_mail_carries_is_refused_with_its_line(hidden: str) -> None:
    with pytest.raises(BadTemplate, match=f"U\\+{ord(hidden):04X}") as refusal:
        LetterForm("Subject", "", f"One\nTwo{hidden}", "")
    assert refusal.value.where == "letter body, line 2"


@settings(deadline=None)
@given(st.text(st.sampled_from("{}%#- \n'\"ab"), max_size=40))
def test_a_literal_prints_exactly_the_text_it_was_made_from(text: str) -> None:
    printed = LetterForm("Subject", "", f"<{literal(text)}>", "").write(
        SignerFields("Jane Doe"), TARGET, CampaignFields("Title")
    )
    lines = [line.rstrip() for line in f"<{text}>".split("\n")]
    expected = "\n".join(lines)
    while "\n\n\n" in expected:
        expected = expected.replace("\n\n\n", "\n\n")
    assert printed.text == expected


_PIECES = st.sampled_from(
    """{{ }} {% %} signer.name signer.city demands d if for in else endif endfor elif | upper default ( ) [ ] . ~ or
    and not == < 'x' 1 loop.index __class__ is set macro raw endraw {# #} - + * ** % recursive x""".split()  # noqa: SIM905
)


@settings(deadline=None)
@given(st.lists(_PIECES, max_size=25).map(" ".join))
def test_any_text_at_all_is_a_letter_or_a_bad_template(source: str) -> None:
    try:
        LetterForm("Subject", "", source, "").write(SIGNER, TARGET, CAMPAIGN)
    except BadTemplate as refusal:
        assert refusal.where.startswith("letter body")  # noqa: PT017
