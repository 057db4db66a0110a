"""The sign form: what was typed becomes checked values, or every wrong field gets its sentence at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from outreach.domain.letters import SignerFields, first_name
from outreach.domain.sentences import _, sentence_of
from outreach.domain.words import clean_body, clean_name, clean_place, clean_words, one_line
from outreach.errors import BadSignature

#: Nothing longer is even looked at: the checks behind are made for what people type. Characters as typed.
_LONGEST = {
    "name": 400,
    "email": 254,
    "city": 400,
    "postal_code": 100,
    "own_words": 20_000,
    "subject": 400,
    "body": 40_000,
    "language": 20,
    "source": 100,
}
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8}){0,2}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SignForm:
    """A sign form as it was filled in. The boxes are unticked unless the signer ticked them."""

    name: str
    email: str
    city: str = ""
    postal_code: str = ""
    own_words: str = ""
    subject: str = ""
    body: str = ""
    language: str = "en"
    updates: bool = False
    show_name: bool = False
    share_address: bool = False
    high_risk: bool = False
    source: str = "web"


@dataclass(frozen=True, slots=True)
class Signer:
    """The same, checked and clean. `email` has its domain in ASCII; its local part is as typed."""

    name: str
    email: str
    city: str
    postal_code: str
    own_words: str
    subject: str
    body: str
    language: str
    updates: bool
    show_name: bool
    share_address: bool
    high_risk: bool  #: being named may harm them
    source: str

    @property
    def fields(self) -> SignerFields:
        """The signer's part of their letters."""
        return SignerFields(
            self.name, first_name(self.name), self.city, self.postal_code, self.own_words, self.subject, self.body
        )

    @property
    def columns(self) -> dict[str, str | bool]:
        """What the form gives to its signature, by the signature's columns."""
        return {
            "name": self.name,
            "city": self.city,
            "postal_code": self.postal_code,
            "own_words": self.own_words,
            "own_subject": self.subject,
            "own_body": self.body,
            "language": self.language,
            "high_risk": self.high_risk,
        }


def check(form: SignForm, *, needs_postal_code: bool = False) -> Signer:
    """The form's values, cleaned; BadSignature with a sentence for each field that cannot be taken."""
    wrong: dict[str, str] = {}

    def taken(field: str, typed: str, clean: Callable[[str], str]) -> str:
        try:
            if len(typed) > _LONGEST[field]:
                raise ValueError(_("This is too long: at most %(limit)s characters.", limit=_LONGEST[field]))
            return clean(typed)
        except ValueError as error:
            wrong[field] = sentence_of(error)
            return ""

    signer = Signer(
        name=taken("name", form.name, clean_name),
        email=taken("email", form.email, clean_address),
        city=taken("city", form.city, clean_place),
        postal_code=taken("postal_code", form.postal_code, _clean_postal_code),
        own_words=taken("own_words", form.own_words, clean_words),
        subject=taken("subject", form.subject, _clean_subject),
        body=taken("body", form.body, clean_body),
        language=taken("language", form.language, _clean_language),
        updates=form.updates,
        show_name=form.show_name,
        share_address=form.share_address,
        high_risk=form.high_risk,
        source=taken("source", form.source, lambda typed: one_line(typed, limit=60, what="The source")),
    )
    if needs_postal_code and not signer.postal_code:
        wrong.setdefault("postal_code", _("Enter your postal code: it shows the office that you are one of its own."))
    if wrong:
        raise BadSignature(wrong)
    return signer


def clean_address(typed: str) -> str:
    """An address that any mail server can be asked to write to, its domain in ASCII. ValueError with a sentence.

    Whether the mailbox exists is not asked here: only the confirmation link can tell.
    """
    typed = typed.strip()
    if not typed:
        raise ValueError(_("Give your email address: we send you a link to confirm your letter."))
    if len(typed) > _LONGEST["email"]:
        raise ValueError(_("An email address can have at most %(limit)s characters.", limit=_LONGEST["email"]))
    try:
        found = validate_email(typed, check_deliverability=False, strict=True)
    except EmailNotValidError:
        raise ValueError(
            _("This is not an email address we can write to. An address looks like name@example.org.")
        ) from None
    if found.ascii_email is None:
        raise ValueError(
            _(
                "We can only write to addresses whose part before the @ has letters of the English alphabet, digits "
                "and signs. Give another one."
            )
        )
    if len(found.ascii_email) > _LONGEST["email"]:
        raise ValueError(_("An email address can have at most %(limit)s characters.", limit=_LONGEST["email"]))
    return found.ascii_email


def _clean_subject(typed: str) -> str:
    return one_line(typed, what=_("A subject"))


def _clean_postal_code(typed: str) -> str:
    if len(code := clean_place(typed)) > 20:
        raise ValueError(_("A postal code can have at most %(limit)s characters.", limit=20))
    return code


def _clean_language(typed: str) -> str:
    code = typed.strip() or "en"
    if not _LANGUAGE.fullmatch(code):
        raise ValueError(_("This is not a language code, like “en” or “pt-BR”."))
    return code
