"""The languages that signers are spoken to in: English, and one file `locale/<code>.po` for each other.

The files are read as they are, once a process. A file's header says by `Language: es_419` how its readers write
dates and numbers; everything else about a language comes from Babel. What a file lacks is said in English.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.lists import format_list
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from jinja2 import Environment, pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup

from outreach.domain.sentences import Sentence

LOCALE = Path(__file__).resolve().parent / "locale"
#: The language that the messages are written in.
SOURCE = "en"
#: English as it reads the same on both sides of the Atlantic: "2 March 2026".
_SOURCE_LOCALE = Locale("en", "GB")


@dataclass(frozen=True, eq=False)
class Language:
    """One language, and how it says things. Get it by `language`; all its methods are pure."""

    code: str  #: as in `<html lang>`: "es"
    locale: Locale
    translations: NullTranslations

    @property
    def name(self) -> str:
        """What its speakers call it, for a list of languages: "Español"."""
        name = self.locale.language_name or self.code
        return name[:1].upper() + name[1:]

    @property
    def direction(self) -> str:
        """ "ltr" or "rtl"."""
        return self.locale.text_direction

    def name_of(self, code: str) -> str:
        """What this language calls another: "English", "inglés"."""
        try:
            return Locale.parse(code, sep="-").get_language_name(self.locale) or code
        except (UnknownLocaleError, ValueError):
            return code

    def marked(self, code: str) -> Markup:
        """The attributes of an element whose text is in another language than the page; nothing where it is not."""
        return Markup("") if code == self.code else Markup(' lang="{}" dir="{}"').format(code, direction(code))

    def say(self, text: str) -> str:
        """A sentence in this language; whatever else is given comes back as it is."""
        if not isinstance(text, Sentence):
            return text
        if text.many:
            return self.ngettext(text.message, text.many, text.num) % self._worded(text.values)
        return self.gettext(text.message) % self._worded(text.values)

    def gettext(self, message: str) -> str:
        """`message` in this language, with its placeholders."""
        return self.translations.gettext(message) if message else ""  # "" is a file's header

    def ngettext(self, one: str, many: str, num: int) -> str:
        """The message for `num` things, with its placeholders."""
        return self.translations.ngettext(one, many, num)

    def number(self, number: int) -> str:
        """12483 → "12,483"."""
        return format_decimal(number, locale=self.locale)

    def day(self, day: date) -> str:
        """ "2 March 2026", "2 de marzo de 2026". Of a time, the day in its own zone."""
        return format_date(day, "long", locale=self.locale)

    def weekday(self, day: date) -> str:
        """ "Tuesday 24 November 2026"."""
        return format_date(day, "full", locale=self.locale)

    def listed(self, names: Sequence[str]) -> str:
        """ "A", "A and B", "A, B and C"."""
        return format_list([self.say(name) for name in names], locale=self.locale)

    def moment(self, at: datetime) -> str:
        """ "Mon 2 Mar 2026, 12:05 UTC"."""
        return format_datetime(at.astimezone(UTC), "EEE d MMM y, HH:mm 'UTC'", locale=self.locale)

    def install(self, environment: Environment) -> None:
        """Make a template environment speak this language.

        Its templates write `{{ _('…') }}`, `{{ ngettext('…', '…', n) }}` and `{% trans %}`, and name the language by
        `lang` and `direction`; `<p{{ in_language('ar') }}>` marks a text in another. Numbers and days that stand in
        messages are written out; other values are escaped where the template escapes. A `Sentence` is said wherever
        one is printed.
        """
        environment.add_extension("jinja2.ext.i18n")
        environment.policies["ext.i18n.trimmed"] = True
        environment.newstyle_gettext = True  # type: ignore[attr-defined]  # the extension's
        environment.finalize = self.say
        environment.globals.update(
            _=self._gettext_for_templates(),
            gettext=self._gettext_for_templates(),
            ngettext=self._ngettext_for_templates(),
            lang=self.code,
            direction=self.direction,
            in_language=self.marked,
            language_name=self.name_of,
        )
        environment.filters.update(
            number=self.number, day=self.day, weekday=self.weekday, moment=self.moment, listed=self.listed
        )

    def _gettext_for_templates(self) -> Callable[..., str]:
        @pass_eval_context
        def gettext(context: EvalContext, message: str, /, **values: object) -> str:
            return _safe(context, self.gettext(message)) % self._worded(values)

        return gettext

    def _ngettext_for_templates(self) -> Callable[..., str]:
        @pass_eval_context
        def ngettext(context: EvalContext, one: str, many: str, num: int, /, **values: object) -> str:
            return _safe(context, self.ngettext(one, many, num)) % self._worded({"num": num, **values})

        return ngettext

    def _worded(self, values: Mapping[str, object]) -> dict[str, object]:
        return {name: self._word(value) for name, value in values.items()}

    def _word(self, value: object) -> object:
        if isinstance(value, str):
            return self.say(value)
        if isinstance(value, int):
            return self.number(value)
        if isinstance(value, date):
            return self.day(value)
        if isinstance(value, tuple):
            return self.listed(value)
        return value


def _safe(context: EvalContext, message: str) -> str:
    """A message is ours and may hold tags; what is put into it is escaped by being put into it."""
    return Markup(message) if context.autoescape else message  # noqa: S704


@cache
def languages() -> tuple[Language, ...]:
    """Every language there is, English first."""
    others = sorted(LOCALE.glob("*.po"))
    return (Language(SOURCE, _SOURCE_LOCALE, NullTranslations()), *map(_read, others))


def language(code: str) -> Language:
    """The language of that code, of its first part ("es-MX" is "es"), or English."""
    return _speakers().get(spoken(code), languages()[0])


def spoken(code: str) -> str:
    """The code of ours that answers to `code`, or ""."""
    known, code = _speakers(), code.replace("_", "-").lower()
    return next((each for each in (code, code.partition("-")[0]) if each in known), "")


def preferred(accepted: str) -> str:
    """The first language of ours in an Accept-Language header, by its reader's own order; or ""."""
    wishes: list[tuple[float, int, str]] = []
    for place, wish in enumerate(accepted[:1000].split(",")):
        code, _, quality = wish.strip().partition(";")
        weight = _weight(quality)
        if weight > 0 and spoken(code.strip()):
            wishes.append((-weight, place, spoken(code.strip())))
    return min(wishes)[2] if wishes else ""


def is_code(code: str) -> bool:
    """Whether this is the code of a language that anybody knows, ours or not: "es", "pt-BR"."""
    try:
        Locale.parse(code, sep="-")
    except (UnknownLocaleError, ValueError, TypeError):
        return False
    return True


def direction(code: str) -> str:
    """The `dir` of a text in any language, whether we speak it or not."""
    try:
        return Locale.parse(code, sep="-" if "-" in code else "_").text_direction
    except (UnknownLocaleError, ValueError):
        return "ltr"


def _weight(quality: str) -> float:
    name, _, value = quality.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


@cache
def _speakers() -> dict[str, Language]:
    return {each.code.lower(): each for each in languages()}


def _read(path: Path) -> Language:
    with path.open("rb") as file:
        catalog = read_po(file)
    locale = catalog.locale or Locale.parse(path.stem, sep="-")
    return Language(path.stem, locale, _translations(catalog))


def _translations(catalog: Catalog) -> NullTranslations:
    """What the standard library makes of a catalogue; entries marked fuzzy are left out."""
    packed = BytesIO()
    write_mo(packed, catalog)
    packed.seek(0)
    return GNUTranslations(packed)
