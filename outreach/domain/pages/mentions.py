"""What prose says in passing: the coalition behind a page, its sponsors, and the call to act."""

from __future__ import annotations

import re

from .marks import LIST_SIGN
from .text import in_one_line

_GROUP = r"(?:coalition|alliance|network|federation|union|partnership|collective|campaign|group|movement|league)"
_BEHIND = (
    r"(?:put together|drawn up|drafted|written|organi[sz]ed|developed|sponsored|co-?sponsored|led|supported|endorsed"
    r"|backed|brought to you|presented|launched|started|coordinated|convened|signed|made|created|issued)\s+by"
)
_A_GROUP = rf"(?:[\w’'+-]+\s+){{0,5}}?{_GROUP}\b"
_NAME = r"[A-Z0-9][\w’'&.-]*(?:\s+(?:of|for|the|and|to|in|&|[A-Z0-9][\w’'&.-]*)){0,8}"
_COALITIONS = tuple(
    re.compile(pattern)
    for pattern in (
        # by “Warm Homes Now,” a coalition of …
        rf"[“\"](?P<name>[^”\"]{{2,80}}?),?[”\"],?\s+(?:which is |is |are )?(?:an?|the)\s+{_A_GROUP}",
        # the coalition “Warm Homes Now”
        rf"\b{_GROUP}\s+(?:called |named |known as )?[“\"](?P<name>[^”\"]{{2,80}}?),?[”\"]",
        # the “Warm Homes Now” coalition
        rf"[“\"](?P<name>[^”\"]{{2,80}}?),?[”\"]\s+{_GROUP}\b",
        # by Warm Homes Now, a coalition of …
        rf"(?:{_BEHIND}|[Bb]y|[Ww]ith|[Oo]f|^|\.\s)\s*(?:the\s+)?(?P<name>{_NAME}),\s+(?:which is )?an?\s+{_A_GROUP}",
        # put together by the Warm Homes Coalition
        rf"(?:{_BEHIND}|[Mm]embers of|[Jj]oin)\s+(?:the\s+)?"
        r"(?P<name>(?:[A-Z0-9][\w’'&-]*\s+){1,6}(?:Coalition|Alliance|Network))\b",
    )
)
_SPONSORED = re.compile(
    r"\bthis (?:petition|letter|campaign|page|action) (?:is|was|has been) "
    rf"(?:(?:proudly|jointly) )?{_BEHIND}\s+(?P<names>[^.!?]+)",
    re.IGNORECASE,
)
_SIGN = re.compile(
    r"\b(?:sign (?:on|up|now|here|today|our|the|this|and|if|to|below|with)\b|sign\b[^.!?]{0,40}\b(?:petition|letter)\b"
    r"|(?:add|put) your (?:name|voice|signature)"
    r"|(?:send|write|personali[sz]e) (?:your|a|this|the|our) (?:letter|message)"
    r"|take action|raise your voice|join us (?:in|by|and)|firme\b[^.!?]{0,40}\b(?:petición|carta))",
    re.IGNORECASE,
)
_CALL_ON = re.compile(
    r"\b(?:we|we’re|we're|we are|i|i’m|i'm)\s+(?:\w+ )?(?:call(?:ing)?|urg(?:e|ing)) (?:on|upon|\w+)\b", re.IGNORECASE
)
_ABBREVIATED = frozenset(
    "mr mrs ms mx dr prof sen rep sec gov gen hon st jr sr inc ltd co corp vs dept u.s u.k e.g i.e a.m p.m".split()  # noqa: SIM905
)
_SENTENCE_END = re.compile(r"[.!?…][”’\"')\]]*\s+(?=[\"“‘(\[]?[A-Z0-9])")


def sentences(text: str) -> list[str]:
    """`text` cut after each sentence; "Sec. Mayorkas" and "U.S." end none."""
    found, start = [], 0
    for end in _SENTENCE_END.finditer(text):
        word = text.rfind(" ", start, end.start()) + 1
        last = text[max(word, start) : end.start()].strip("(“\"'").casefold()
        if text[end.start()] == "." and (last in _ABBREVIATED or len(last) == 1):
            continue
        found.append(text[start : end.end()].strip())
        start = end.end()
    return [*found, text[start:].strip()] if text[start:].strip() else found


def coalition_in(text: str) -> str:
    """The coalition a paragraph names; "" when it names none."""
    for pattern in _COALITIONS:
        if found := pattern.search(text):
            return in_one_line(found["name"]).strip(" ,")
    return ""


def sponsors_in(text: str) -> list[str]:
    """The organisations of "This petition is sponsored by …"."""
    found = _SPONSORED.search(text)
    return organisations(re.split(r",\s+an?\s", found["names"])[0]) if found else []


def organisations(text: str) -> list[str]:
    """The names in a list. "and" parts two names of equal weight, and is part of a name otherwise."""
    text = LIST_SIGN.sub("", text.strip()).strip(" ,;")
    parts = re.split(r"\s*[;,|•]\s*", text)
    cleaned = [re.sub(r"^(?:and|&)\s+", "", part, flags=re.IGNORECASE) for part in parts]
    if cleaned and cleaned[-1] == parts[-1]:  # no "and" of its own stood before the last name
        left, joint, right = cleaned[-1].rpartition(" and ")
        alike = len(left.split()) == len(right.split()) == 1 and len(parts) > 1
        if joint and (alike or min(len(left.split()), len(right.split())) > 1):
            cleaned[-1:] = [left, right]
    names = (re.sub(r"^the (?=[A-Z“\"])", "", in_one_line(part)).strip(' “”"') for part in cleaned)
    return [
        name for name in (name.rstrip(".") if not name.endswith(("Inc.", "Ltd.")) else name for name in names) if name
    ]


def is_call(text: str) -> bool:
    """Whether a whole paragraph is the call to sign and nothing else."""
    return len(sentences(text)) == 1 and bool(_SIGN.search(text)) and bool(_SIGN.match(text.lstrip("“\"'→> ")))


def call_in(paragraphs: list[str]) -> str:
    """The sentence that asks the reader to act; else the one that says what "we call on" somebody to do; else ""."""
    said = [sentence for paragraph in paragraphs for sentence in sentences(paragraph)]
    for pattern in (_SIGN, _CALL_ON):
        if found := next((sentence for sentence in said if pattern.search(sentence)), None):
            return found
    return ""
