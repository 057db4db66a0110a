"""Who a page is addressed to: a list of offices and names, as people write it, told apart.

There is no grammar for this, only habit: the office comes first ("DHS Secretary Mayorkas") or after a comma
("Jane Doe, Mayor of Springfield"), and "and" joins two people as often as two halves of one ministry. What cannot be
told apart stays whole as the office, which is never wrong on an envelope.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .text import ends_a_sentence, in_one_line

#: No list of addressees is longer than this.
LIST_LIMIT = 2_000

_OFFICES = frozenset(
    """president vice-president secretary undersecretary senator sen representative rep congressman congresswoman
    congressmember congressperson governor gov mayor deputy chair chairman chairwoman chairperson commissioner director
    administrator general attorney ag minister premier chancellor speaker leader whip ceo cfo coo cto chief
    superintendent supervisor councilmember councilman councilwoman councillor councilor councilperson alderman
    alderwoman alderperson alder judge justice sheriff prosecutor treasurer comptroller controller clerk auditor
    ombudsman ombudsperson ambassador principal dean provost rector trustee mp msp mep mla mpp manager officer executive
    assemblymember assemblyman assemblywoman assemblyperson delegate legislator lawmaker sec member registrar
    surgeon marshal warden reeve selectman selectwoman selectperson editor publisher owner founder head boss landlord
    president-elect mayor-elect governor-elect secretary-general attorney-general governor-general
    king queen prince princess bishop archbishop cardinal pope""".split()  # noqa: SIM905 (words read better than a list of them)
)
_PLURALS = {office + "s": office for office in _OFFICES} | {
    "secretaries": "secretary",
    "sens": "sen",
    "reps": "rep",
    "councilmen": "councilman",
    "aldermen": "alderman",
    "congressmen": "congressman",
}
_BODIES = frozenset(
    """board council committee commission authority department agency ministry office company corporation corp inc llc
    ltd plc university college congress senate parliament house assembly legislature bureau administration trust
    association bank court government cabinet delegation caucus""".split()  # noqa: SIM905
)
#: Offices that are surnames as well: "Governor Jim Justice".
_SURNAMES = frozenset({"dean", "justice", "king", "judge", "head", "clerk", "mayor", "chancellor", "bishop", "prince"})
_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv", "md", "phd", "esq", "inc", "llc", "ltd"})
_PARTICLES = frozenset({"de", "la", "le", "van", "von", "der", "den", "di", "da", "dos", "del", "bin", "al", "el", "y"})
#: Ends of places and portfolios, which no surname is.
_PLACES = frozenset({"city", "county", "state", "states", "town", "township", "village", "province", "islands"})
#: What an office is "of", when a name may follow.
_PORTFOLIOS = sorted(
    (
        tuple(words.split())
        for words in """
            state; defense; defence; the treasury; treasury; homeland security; health and human services; education
            labor; labour; energy; transportation; transport; agriculture; commerce; the interior; interior; justice
            veterans affairs; housing and urban development; housing; health; finance; foreign affairs; the environment
            environment; the united states; the united states of america; the united kingdom; public works; schools
            police; operations; communications; immigration; culture; the army; the navy; the air force
        """.replace("\n", ";").split(";")
        if words.strip()
    ),
    key=len,
    reverse=True,
)
_AND = re.compile(r"\s+(?:and|&)\s+", re.IGNORECASE)
#: "Gov. Jane Doe, CA" and "Sheriff John Roe, Pinellas County": where an office is, not who holds it.
_STATE = re.compile(r"[A-Z]{2}|D\.C\.|(?:[A-Z][\w’'-]+ ){1,3}(?:County|Township)")
_WHERE = re.compile(rf"(?<=\w), (?:{_STATE.pattern})$")
_WORD_EDGES = ".,;:'’\"“”()"


@dataclass(frozen=True, slots=True)
class Addressee:
    """The person without the office ("Alejandro Mayorkas"), and the office ("DHS Secretary"). Either may be ""."""

    name: str
    office: str

    @property
    def label(self) -> str:
        """Both, as in "DHS Secretary Alejandro Mayorkas"."""
        return f"{self.office} {self.name}".strip()

    @property
    def salutation(self) -> str:
        """How a letter greets them: "Dear DHS Secretary Mayorkas", without the comma."""
        words = [word for word in self.name.split() if _key(word) not in _SUFFIXES]
        if not words or not self.office:
            return f"Dear {self.label}"
        office = re.split(r" (?:of|for|on|at) | \(|, ", self.office)[
            0
        ]  # "Dear Mayor Doe", not "Mayor of Springfield Doe"
        return f"Dear {office} {words[-1].strip(',')}"


def read_addressees(text: str) -> tuple[Addressee, ...]:
    """Everybody a list names, in its order, each once."""
    found: list[Addressee] = []
    for part in re.split(r";| [/|] ", in_one_line(text)):
        found += _paired(list(_split(part)))
    return tuple(dict.fromkeys(one for one in found if one.label))


def are_offices(text: str) -> bool:
    """Whether a line is nothing but people with their offices, so that it can only be the addressees."""
    if len(text) > 200 or ":" in text or re.search(r"[!?…]|[.](?=[”\"']?$)", text):
        return False
    everybody = read_addressees(text)
    return bool(everybody) and all(_is_office(one.office) and (not one.name or _is_name(one.name)) for one in everybody)


def could_be_addressees(text: str) -> bool:
    """Whether a short line may name an addressee of whom we know no office: no sentence, and each word capital."""
    words = [word for word in text.split() if _key(word) not in {"of", "the", "and", "for", "&", ""} | _PARTICLES]
    return (
        0 < len(words) <= 12
        and len(text) <= 120
        and not ends_a_sentence(text)
        and all(word.lstrip("“\"'(")[:1].isupper() for word in words)
    )


def same_people(one: tuple[Addressee, ...], other: tuple[Addressee, ...]) -> bool:
    """Whether two lists name the same addressees, first names aside."""
    return {_short(a) for a in one} == {_short(a) for a in other}


def _short(one: Addressee) -> tuple[str, str]:
    return one.office.casefold(), one.name.split()[-1].casefold() if one.name else ""


def _key(word: str) -> str:
    return word.strip(_WORD_EDGES).casefold()


def _is_office_word(word: str) -> bool:
    return _key(word) in _OFFICES or _key(word) in _PLURALS


def _is_office(office: str) -> bool:
    return any(_is_office_word(word) or _key(word) in _BODIES for word in office.split())


def _is_name(text: str) -> bool:
    words = text.split()
    return 0 < len(words) <= 6 and all(
        (word.lstrip("“\"'")[:1].isupper() or word.casefold() in _PARTICLES) and not any(c.isdigit() for c in word)
        for word in words
    )


def _split(text: str) -> Iterator[Addressee]:
    """One addressee per piece between commas and between people; a plural office goes to each name after it."""
    inherited = ""
    for piece in _comma_pieces(text):
        for one in _people(piece):
            single = _singular(one.office)
            if single != one.office and one.name:
                inherited = single
            elif one.office:
                inherited = ""
            if one.name and not one.office and inherited:
                yield Addressee(one.name, inherited)
            else:
                yield Addressee(one.name, single if one.name else one.office)


def _comma_pieces(text: str) -> list[str]:
    pieces: list[str] = []
    for piece in text.split(","):
        piece = re.sub(r"^(?:and|&)\s+", "", piece.strip(), flags=re.IGNORECASE)
        piece = re.sub(r"\s+(?:and|&)$", "", piece, flags=re.IGNORECASE)
        if pieces and (_key(piece) in _SUFFIXES or _STATE.fullmatch(piece)):
            pieces[-1] += f", {piece}"
        elif piece:
            pieces.append(piece)
    return pieces


def _people(piece: str) -> list[Addressee]:
    for joint in _AND.finditer(piece):
        left, right = piece[: joint.start()], piece[joint.end() :]
        if _joins_people(_one(left), _one(right.partition(" and ")[0]), right):
            return [_one(left), *_people(right)]
    return [_one(piece)]


def _joins_people(left: Addressee, right: Addressee, words: str) -> bool:
    if words.startswith("the "):
        return True
    if left.office and left.name:
        return bool(right.office or right.name)
    if left.name:  # "Health and Human Services Secretary" is one office; a person has two names here
        return len(left.name.split()) >= 2 and len(right.label.split()) >= 2
    ends = (left.office.split()[-1:] + right.office.split()[-1:]) if not right.name else []
    return len(ends) == 2 and all(_is_office(word) for word in ends)


def _one(piece: str) -> Addressee:
    piece = re.sub(r"^the (?!(?:right )?hon)", "", piece.strip(), flags=re.IGNORECASE)
    if aside := re.search(r"\s+\([^()]*\)$", piece):
        inner = _one(piece[: aside.start()])
        return Addressee(inner.name, (inner.office + aside[0]).strip())
    if where := _WHERE.search(piece):
        inner, place = _one(piece[: where.start()]), where[0][2:]
        return Addressee(
            inner.name, f"{inner.office} ({place})" if place.isupper() else f"{place} {inner.office}".strip()
        )
    words = piece.split()
    at = _last_office(words)
    if at is None:
        is_body = any(_key(word) in _BODIES for word in words) or " of " in piece or re.fullmatch(r"[A-Z]{2,6}", piece)
        is_person = _is_name(piece) and not is_body
        return Addressee(piece, "") if is_person else Addressee("", piece)
    office, rest = words[: at + 1], words[at + 1 :]
    if rest and rest[0].casefold() in ("of", "for", "on", "at"):
        portfolio, rest = _portfolio(rest[1:])
        office += [words[at + 1], *portfolio]
    name, of, place = " ".join(rest).partition(" of ")
    if name and not _is_name(name):
        return Addressee("", piece)
    return Addressee(name, " ".join(office) + of + place)


def _last_office(words: list[str]) -> int | None:
    offices = [n for n, word in enumerate(words) if _is_office_word(word)]
    if not offices:
        return None
    of = next((n for n in range(offices[0] + 1, len(words)) if words[n].casefold() in ("of", "for")), None)
    if of is not None:  # "Secretary of Justice": what follows "of" is not the office
        offices = [n for n in offices if n < of] or offices
    last = offices[-1]
    if last + 1 < len(words) and all(_key(word) in _SUFFIXES for word in words[last + 1 :]):
        return None  # "Martin Luther King, Jr."
    if len(offices) > 1 and last == len(words) - 1 and offices[-2] < last - 1 and _key(words[last]) in _SURNAMES:
        return offices[-2]
    return last


def _portfolio(words: list[str]) -> tuple[list[str], list[str]]:
    """Words after "of", as (what the office is for, the name)."""
    keys = [_key(word) for word in words]
    for known in _PORTFOLIOS:
        rest = words[len(known) :]
        if tuple(keys[: len(known)]) == known and (not rest or _is_name(" ".join(rest))):
            return words[: len(known)], rest
    name = words[-2:]
    is_named = (
        len(words) >= 3
        and all(word[:1].isupper() and not word.isupper() and _key(word) not in _BODIES | _PLACES for word in name)
        and keys[-3] not in ("and", "&", "of", "the")
    )
    return (words[:-2], name) if is_named else (words, [])


def _singular(office: str) -> str:
    words = office.split()
    if words and _key(words[-1]) in _PLURALS:
        single = _PLURALS[_key(words[-1])]
        words[-1] = single.capitalize() + ("." if words[-1].endswith(".") else "")
    return " ".join(words)


def _paired(pieces: list[Addressee]) -> list[Addressee]:
    """ "Jane Doe", "Mayor" → one addressee: a lone name and the lone office beside it belong together."""
    found: list[Addressee] = []
    at = 0
    while at < len(pieces):
        one = pieces[at]
        other = pieces[at + 1] if at + 1 < len(pieces) else None
        if other and one.name and not one.office and other.office and not other.name:
            found.append(Addressee(one.name, other.office))
            at += 2
        elif (
            other and not one.name and other.name and not other.office and any(map(_is_office_word, one.office.split()))
        ):
            found.append(Addressee(other.name, one.office))
            at += 2
        else:
            found.append(one)
            at += 1
    return found
