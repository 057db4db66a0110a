"""Every error that a person may meet, in one tree. Each leaf's docstring is its default message.

    OutreachError            code, message, where, advice
    ├── WrongSetting         a setting cannot be used; the program does not start
    ├── BadInput             what was given cannot be accepted; nothing was changed
    │   ├── BadPage          a campaign file cannot be read as a page
    │   ├── BadTemplate      a letter uses what letters may not use
    │   ├── BadSignature     a field of the sign form is wrong
    │   └── BadRows          a CSV file cannot be taken as it is
    ├── NotFound             there is nothing under that name
    ├── NotNow               understood, but the thing is in no state for it
    ├── TextChanged          the letter is no longer the one that was shown
    └── OutOfReach           a server that is needed does not answer

Transport errors stand apart, in `transports/base.py`: there the type says what may be done next.
"""

from __future__ import annotations


class OutreachError(Exception):
    """Something could not be done."""

    code = "error"

    def __init__(self, message: str = "", *, where: str = "", advice: str = "") -> None:
        self.message = message or (self.__doc__ or "").strip()
        self.where = where
        self.advice = advice
        super().__init__(self.message)

    def __str__(self) -> str:
        """One line: where, what, and what to do."""
        place = f"{self.where}: " if self.where else ""
        advice = f" {self.advice}" if self.advice else ""
        return f"{place}{self.message}{advice}"

    def as_dict(self) -> dict[str, str]:
        """The shape machines get: {"code", "message", "where", "advice"}."""
        return {"code": self.code, "message": self.message, "where": self.where, "advice": self.advice}


class WrongSetting(OutreachError):
    """A setting cannot be used."""

    code = "wrong_setting"


class BadInput(OutreachError):
    """What was given cannot be accepted."""

    code = "bad_input"


class BadPage(BadInput):
    """The file cannot be read as a campaign page."""

    code = "bad_page"


class BadTemplate(BadInput):
    """The letter uses something that letters may not use."""

    code = "bad_template"


class BadSignature(BadInput):
    """A field of the sign form is wrong. `fields` maps each wrong field to its sentence."""

    code = "bad_signature"

    def __init__(self, fields: dict[str, str]) -> None:
        self.fields = fields
        field, sentence = next(iter(fields.items()))
        super().__init__(sentence, where=field)


class BadRows(BadInput):
    """The file's rows cannot be taken as they are."""

    code = "bad_rows"


class NotFound(OutreachError):
    """There is nothing under that name."""

    code = "not_found"


class NotNow(OutreachError):
    """This cannot be done in the state it is in."""

    code = "not_now"


class TextChanged(NotNow):
    """The letter has changed since it was shown; it has to be read and confirmed again."""

    code = "text_changed"


class OutOfReach(OutreachError):
    """A server that is needed does not answer."""

    code = "out_of_reach"
