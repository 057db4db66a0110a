"""SendGrid's Inbound Parse: a form that holds a mail, whole or taken apart, and for whom the server took it.

Whole, it stands in one field ("send raw" is on). Taken apart, it is put together again, so that what follows knows one
shape only. The envelope says for whom it was, and the mail's own To line may say something else.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header

#: What the documentation of today and that of years ago call the field.
_RAW = ("email", "rawEmail", "raw")
_MOST_FIELDS = 300
_MOST_RECIPIENTS = 50
#: Headers that told how the mail was made up. It is made up anew.
_OF_THE_OLD_FORM = re.compile(rb"(?:content-[a-z-]+|mime-version)\s*:", re.IGNORECASE)
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,80}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Posted:
    """A mail and the addresses it was taken for."""

    mail: bytes
    to: tuple[str, ...]


@dataclass(slots=True)
class _Form:
    fields: dict[str, bytes] = field(default_factory=dict)
    files: list[tuple[str, str, bytes]] = field(default_factory=list)  #: field, name, content


def parse(body: bytes, content_type: str) -> Posted:
    """The mail in a posted form. Raises ValueError when there is none, or no form that can be read."""
    form = _form(body, content_type)
    mail = next((form.fields[name] for name in _RAW if form.fields.get(name)), b"") or _put_together(form)
    if not mail.strip():
        raise ValueError("the form holds no mail")
    return Posted(mail, _recipients(form.fields.get("envelope", b"")))


def _form(body: bytes, content_type: str) -> _Form:
    """Both kinds of part: SendGrid has posted a raw mail as a field, and as a file, over the years."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise ValueError("this is no form")
    form, count = _Form(), 0

    def name_of(part: Field | File) -> str:
        nonlocal count
        count += 1
        if count > _MOST_FIELDS:
            raise ValueError("the form has too many fields")
        return (part.field_name or b"").decode("utf-8", "replace")

    def on_field(part: Field) -> None:
        form.fields[name_of(part)] = part.value or b""

    def on_file(part: File) -> None:
        part.file_object.seek(0)
        content, name = part.file_object.read(), name_of(part)
        part.file_object.close()
        if name in _RAW:
            form.fields[name] = content
        else:
            form.files.append((name, (part.file_name or b"").decode("utf-8", "replace"), content))

    config = {"MAX_MEMORY_FILE_SIZE": len(body) + 1}  # nothing of a mail goes to a temporary file
    try:
        parser = FormParser("multipart/form-data", on_field, on_file, boundary=options[b"boundary"], config=config)
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise ValueError(f"the form cannot be read: {type(error).__name__}") from None
    return form


def _recipients(envelope: bytes) -> tuple[str, ...]:
    told = _json(envelope)
    to = told.get("to")
    named = [to] if isinstance(to, str) else to if isinstance(to, list) else []
    return tuple(address[:320] for address in named[:_MOST_RECIPIENTS] if isinstance(address, str))


def _put_together(form: _Form) -> bytes:
    """A mail of the fields of a form that took one apart; b"" when they are not there."""
    if not form.fields.keys() & {"headers", "from", "text", "html"}:
        return b""
    charsets = _json(form.fields.get("charsets", b""))
    pieces = [
        _piece(f"text/{kind}; charset=utf-8", _utf8(form.fields[name], charsets.get(name)))
        for name, kind in (("text", "plain"), ("html", "html"))
        if form.fields.get(name, b"").strip()
    ]
    pieces += list(_files(form))
    boundary = b"=_" + sha256(b"".join(pieces)).hexdigest()[:32].encode()
    head = b"\r\n".join(_headers(form)) + b"\r\nMIME-Version: 1.0\r\n"
    mark = b"\r\n--" + boundary
    start = b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\r\n'
    return head + start + b"".join(mark + b"\r\n" + piece for piece in pieces) + mark + b"--\r\n"


def _headers(form: _Form) -> Iterator[bytes]:
    """The mail's own header lines, without those that told how it was made up."""
    given = form.fields.get("headers", b"").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    kept, named = True, set[bytes]()
    for line in given.strip(b"\n").split(b"\n"):
        if not line.strip():
            continue
        if line[:1] not in b" \t":
            kept = b":" in line and not _OF_THE_OLD_FORM.match(line)
            named.add(line.partition(b":")[0].strip().lower())
        if kept:
            yield line
    for name in (b"from", b"to", b"subject"):
        value = b" ".join(form.fields.get(name.decode(), b"").split())
        if name not in named and value:
            yield name.title() + b": " + value


def _files(form: _Form) -> Iterator[bytes]:
    told = _json(form.fields.get("attachment-info", b""))
    for name, file_name, content in form.files:
        info = told.get(name)
        kind = info.get("type") if isinstance(info, dict) else None
        kind = kind.lower() if isinstance(kind, str) and _TYPE.fullmatch(kind) else "application/octet-stream"
        quoted = "".join(c if c.isprintable() and c not in '"\\' else "_" for c in file_name)[:200]
        disposition = f'Content-Disposition: attachment; filename="{quoted}"\r\n'.encode()
        yield _piece(kind, content, disposition)


def _piece(kind: str, content: bytes, disposition: bytes = b"") -> bytes:
    head = f"Content-Type: {kind}\r\n".encode() + disposition
    if kind.startswith("message/"):  # a mail in a mail must not be encoded
        return head + b"\r\n" + content
    encoded = b64encode(content)
    lines = b"\r\n".join(encoded[at : at + 76] for at in range(0, len(encoded), 76))
    return head + b"Content-Transfer-Encoding: base64\r\n\r\n" + lines


def _utf8(octets: bytes, charset: Any) -> bytes:
    try:
        return octets.decode(charset if isinstance(charset, str) else "utf-8").encode()
    except (LookupError, UnicodeError, ValueError):
        return octets  # whoever reads it finds out


def _json(octets: bytes) -> dict[str, Any]:
    try:
        told = json.loads(octets) if octets else {}
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
