"""Sentences for signers: written in English where they are known, said in the reader's language at the door.

    raise ValueError(_("A name can have at most %(limit)s characters.", limit=NAME_LIMIT))

What `_` gives is its own English text, so logs, the command line and tests need nothing else. Pages and mails say it
by `languages.Language.say`. The messages are found by their `_(` and `ngettext(`, so they are written out there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

#: What may stand in a sentence: a text or a sentence, a number, or several names to be listed.
Value: TypeAlias = "str | int | tuple[str, ...]"


class Sentence(str):
    """An English sentence that still knows the message it was made of.

    `many` is the message for other numbers than one, or ""; `num` is the number that decides.
    """

    message: str
    many: str
    num: int
    values: Mapping[str, Value]

    def __new__(cls, message: str, values: Mapping[str, Value], *, many: str = "", num: int = 1) -> Sentence:
        chosen = many if many and num != 1 else message
        made = super().__new__(cls, chosen % {name: _in_english(value) for name, value in values.items()})
        made.message, made.many, made.num, made.values = message, many, num, dict(values)
        return made


def _(message: str, /, **values: Value) -> Sentence:
    """The sentence `message`, with `values` where it says `%(name)s`. A percent sign is written twice."""
    return Sentence(message, values)


def ngettext(one: str, many: str, num: int, /, **values: Value) -> Sentence:
    """The sentence for `num` things, which both messages may name as `%(num)s`."""
    return Sentence(one, {"num": num, **values}, many=many, num=num)


def sentence_of(error: Exception) -> str:
    """What was raised with one sentence, as that sentence: `str(error)` would be its English only."""
    said = error.args[0] if error.args else ""
    return said if isinstance(said, str) else str(error)


def _in_english(value: Value) -> str:
    if isinstance(value, tuple):
        return " and ".join(filter(None, (", ".join(value[:-1]), *value[-1:])))
    return f"{value:,}" if isinstance(value, int) else value
