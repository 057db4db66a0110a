"""The people a new letter is tried on before anybody may sign it: one ordinary, the others anything but."""

from __future__ import annotations

from outreach.domain.letters import MERGE_FIELDS, CampaignFields, SignerFields, TargetFields, first_name
from outreach.domain.words import WORDS_LIMIT
from outreach.errors import BadTemplate

from .letters import PARTS, LetterForm
from .mailings import MailingForm

_EXAMPLES = {field.name: field.example for field in MERGE_FIELDS}

TARGET = TargetFields(_EXAMPLES["target.salutation"], _EXAMPLES["target.name"], _EXAMPLES["target.office"])
CAMPAIGN = CampaignFields(
    _EXAMPLES["campaign.title"],
    (_EXAMPLES["demands"], "Say when it will stand.", "Keep it lit & dry, <always>."),
    _EXAMPLES["campaign.organisation"],
)
ORDINARY = SignerFields(
    _EXAMPLES["signer.name"],
    _EXAMPLES["signer.first_name"],
    _EXAMPLES["signer.city"],
    _EXAMPLES["signer.postal_code"],
    _EXAMPLES["signer.own_words"],
)


def _signer(
    name: str, city: str = "", postal_code: str = "", own_words: str = "", subject: str = "", body: str = ""
) -> SignerFields:
    return SignerFields(name, first_name(name), city, postal_code, own_words, subject, body)


SIGNERS = (
    ORDINARY,
    _signer("Bo Li"),
    _signer("A" * 78, "B" * 80, "C" * 80, "&<" * (WORDS_LIMIT // 2)),
    _signer(
        "Ann {{ 7*7 }}", "{% raw %}", "%s", "{{ signer.name }} {% for x in y %} ${x} <%x%> -name- [unsubscribe] %tag%"
    ),
    _signer("王小明", "臺北市", "106", "我們等公車。" * 330),
    _signer("ליאת כהן", "חיפה", "3100000", "אני גרה כאן.\n\nתודה."),
    _signer("Kim Doe", own_words="I wait here.", subject="Our bus", body="{{ x }} I wrote this, {% all %} of it."),
    _signer("Sam “<b>” O’Neil-Ünlü, Jr.", "São João", "", "<script>alert(1)</script>\n-- \n\n\n1. & 2."),
)
#: Own words must arrive whatever else a signer left out.
_SPARSE = tuple(
    _signer("Kim Doe", city, code, "I wait here each day.") for city in ("", "Springfield") for code in ("", "62701")
)


def trouble_with(subject: str, header: str, body: str, footer: str) -> dict[str, str] | None:
    """Write the letter for every sample; what went wrong first, as `BadTemplate.as_dict` says it, or None."""
    try:
        form = LetterForm(subject, header, body, footer)
        for signer in (*SIGNERS, *_SPARSE):
            text = form.write(signer, TARGET, CAMPAIGN).text
            if "".join(signer.own_words.split()) not in "".join(text.split()):  # wrapping moves spaces only
                raise BadTemplate(
                    "A signer's own words are missing from the letter, or changed in it.",
                    where=PARTS[2],
                    advice="Write {{ signer.own_words }} outside of any other condition, or nowhere.",
                )
    except BadTemplate as error:
        return error.as_dict()
    return None


def trouble_with_mailing(subject: str, body: str) -> dict[str, str] | None:
    """The same for a mailing to signers."""
    try:
        form = MailingForm(subject, body)
        for signer in (*SIGNERS, *_SPARSE):
            form.write(signer, CAMPAIGN)
    except BadTemplate as error:
        return error.as_dict()
    return None
