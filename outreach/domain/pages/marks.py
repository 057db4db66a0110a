"""Lines that say what they are by how they begin, in English or in Spanish."""

from __future__ import annotations

import re

#: "To:", and how other petition sites spell it.
TO = re.compile(
    r"(?:(?:petition|deliver(?:ed)?|addressed|letter)\s+)?(?:to|para)\s*[:：]\s*(?P<whom>.*)$|targets?\s*[:：]\s*(?P<whom_else>.*)$",
    re.IGNORECASE,
)
FROM = re.compile(r"from\b\s*(?P<colon>[:：-]?)\s*(?P<who>.*)$", re.IGNORECASE)
SUBJECT = re.compile(r"(?:subject|re)\s*[:：]\s*(?P<subject>.+)$", re.IGNORECASE)
TITLE = re.compile(r"(?:title\s*[:：]|#{1,3}\s)\s*(?P<title>.+)$", re.IGNORECASE)
#: "To DHS Secretary Mayorkas," or "Dear Mayor:": a greeting, not a "To:" line.
GREETING = re.compile(
    r"(?:(?:dear|hello|hi|greetings|attention|attn)\b[^.!?]{0,120}|to\s+[^\s:][^:!?]{0,120})[,:]$", re.IGNORECASE
)
#: "1)", "(1)", "1.", "Demand 1:".
NUMBER = re.compile(
    r"(?:(?:demand|ask|point)\s+)?(?:\((?P<a>\d{1,2})\)\s*|(?P<b>\d{1,2})(?:\)\s*|[.:]\s+))(?P<text>[^\s.,;:)].*)$",
    re.IGNORECASE,
)
BARE_NUMBER = re.compile(r"(?:\(\d{1,2}\)|\d{1,2}[).])$")
WHY = re.compile(
    r"(?P<heading>why\s+(?:is|are|does|do)\s+(?:this|it|that|these|those|we|our)\b[^.?!:]{0,40}[?:]"
    r"|why\s+(?:is|are|does|do)\s+(?:this|it|that|these|those)\b[^.?!:]{0,40}$"
    r"|why\s+(?:this|it)\s+(?:matters|is\s+important)\s*[?:.]?"
    r"|¿?por\s+qué\s+(?:es|son|importa)\b[^.?!:]{0,40}[?:])\s*(?P<rest>.*)$",
    re.IGNORECASE,
)
SPONSORED = re.compile(
    r"(?:(?:co-?)?sponsored|co-?sponsors?|sponsors?|endorsed|organi[sz]ed|supported|presented|brought to you"
    r"|(?:co)?patrocinad[oa]s?|organizad[oa]s?|respaldad[oa]s?)"
    r"(?:\s+(?:by|por)\b\s*[:：]?|\s*[:：])\s*(?P<names>.*)$"
    r"|(?:co-?)?sponsors?$",
    re.IGNORECASE,
)
_MORE = r"(?:(?:learn|read|find out)\s+more|más\s+información|(?:conozca|lea)\s+más)\b"
LEARN_MORE = re.compile(_MORE, re.IGNORECASE)
#: The same at the end of an ask.
THEN_LEARN_MORE = re.compile(rf"(?:^|(?<=[.!?”\"’)])\s+|\s+[-–—(\[]\s*)(?P<label>{_MORE}.*)$", re.IGNORECASE)
LIST_SIGN = re.compile(r"^[-*•–—·]\s+")
_PLACEHOLDER_NAME = re.compile(r"(?:your|full|first|my|the|signer'?s?|signer’s)?\s*(?:full\s+)?name\b", re.IGNORECASE)


def whom(line: str) -> str | None:
    """What follows "To:"; None when the line is no such line."""
    found = TO.match(line)
    return None if found is None else (found["whom"] if found["whom"] is not None else found["whom_else"]).strip()


def is_from(line: str) -> bool:
    """Whether this is the letter's "From: [Your Name]", in any spelling."""
    found = FROM.match(line)
    if found is None:
        return False
    who = found["who"].strip()
    bracketed = who[:1] in tuple("[(<{_") and ("name" in who.casefold() or set(who) <= set("[](){}<>_ ."))
    return (bracketed or bool(_PLACEHOLDER_NAME.match(who)) or not who) and bool(found["colon"] or bracketed)


def is_greeting(line: str) -> bool:
    """Whether this is a letter's greeting on a line of its own."""
    return bool(GREETING.match(line))


def numbered(line: str) -> tuple[int, str] | None:
    """A numbered line as (number, text)."""
    found = NUMBER.match(line)
    return (int(found["a"] or found["b"]), found["text"]) if found else None


def begins_a_part(line: str) -> bool:
    """Whether a new paragraph begins at this line, whatever stands before it."""
    return bool(
        NUMBER.match(line)
        or BARE_NUMBER.match(line)
        or WHY.match(line)
        or is_sponsor_line(line)
        or LIST_SIGN.match(line)
        or LEARN_MORE.match(line)
    )


def is_sponsor_line(line: str) -> bool:
    """Whether the line is "Sponsored by" with its names, if any: not a sentence that happens to begin so."""
    found = SPONSORED.match(line)
    return bool(found) and len(line) <= 400 and not re.search(r"[a-z][.!?]\s+\S|\b(?:is|are|was|were|will)\b", line)
