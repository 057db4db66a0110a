"""The transport, and what the world's name servers say about the domains our mail comes from."""

from __future__ import annotations

import re
import smtplib
import ssl
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import dns.exception
import dns.resolver
import urllib3

from outreach.doctor.findings import Finding, fail, good, warn
from outreach.doctor.machine import reaches_the_world
from outreach.settings import Settings

#: (name, record type) → the records as text, [] if there are none, None if nobody could be asked.
LookUp = Callable[[str, str], list[str] | None]

_PATIENCE = 2.0
_KEY = re.compile(r"SG\.[\w-]{16,32}\.[\w-]{32,64}")
#: The names SendGrid gives its signing keys.
_SELECTORS = ("s1", "s2")
_EXAMPLES = ("example.org", "example.com", "example.net")


def look_at_transport(settings: Settings, *, online: bool) -> Iterator[Finding]:
    """Whether mail can leave by the way that is set, and by the one to fall back on."""
    for way in filter(None, (settings.transport, settings.fallback_transport)):
        if way == "sendgrid":
            yield from _sendgrid(settings, online)
        elif way == "smtp":
            yield _smtp(settings)
        else:
            yield _mailbox(settings)


def _mailbox(settings: Settings) -> Finding:
    try:
        settings.mailbox_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.mailbox_dir):
            pass
    except OSError as error:
        return fail(
            "mailbox", f"{settings.mailbox_dir} cannot be written ({error.strerror}).", "Set OUTREACH_MAILBOX_DIR."
        )
    return good("mailbox", f"Mails are written to {settings.mailbox_dir}; none leaves this machine.")


def _sendgrid(settings: Settings, online: bool) -> Iterator[Finding]:
    if not _KEY.fullmatch(settings.sendgrid_api_key):
        yield warn(
            "sendgrid", "The key does not look like one of SendGrid's (SG.….…).", "Check OUTREACH_SENDGRID_API_KEY."
        )
    elif not online:
        yield good("sendgrid", "A key is set. `outreach doctor --online` asks whether it is taken.")
    if online:
        yield _asked(settings)
    if settings.sendgrid_sandbox:
        advice = "Unset OUTREACH_SENDGRID_SANDBOX when mail is to leave."
        yield warn("sendgrid sandbox", "SendGrid looks at every mail and sends none.", advice)
    if settings.sendgrid_event_keys:
        yield good("sendgrid events", f"{len(settings.sendgrid_event_keys)} public keys check its reports.")
    else:
        advice = "Switch the signed event webhook on and set OUTREACH_SENDGRID_EVENT_KEYS."
        yield warn("sendgrid events", "Its reports are refused, so mails in doubt stay in doubt.", advice)


def _asked(settings: Settings) -> Finding:
    headers = {"Authorization": f"Bearer {settings.sendgrid_api_key}"}
    try:
        with urllib3.PoolManager(timeout=_PATIENCE * 2, retries=False) as pool:
            answer = pool.request("GET", f"{settings.sendgrid_host}/v3/scopes", headers=headers)
            scopes = answer.json().get("scopes", []) if answer.status == 200 else []
    except (urllib3.exceptions.HTTPError, ValueError, AttributeError) as error:
        return warn("sendgrid", f"It could not be asked ({type(error).__name__}).", "Try again with a connection.")
    if answer.status != 200:
        return fail("sendgrid", f"It does not take our key (status {answer.status}).", "Make a new key.")
    if "mail.send" not in scopes:
        return fail("sendgrid", "The key may not send mail.", "Give it the right “mail.send”.")
    return good("sendgrid", "It takes our key, and the key may send.")


def _smtp(settings: Settings) -> Finding:
    parts = urlsplit(settings.smtp_url)
    host, secure = parts.hostname or "", parts.scheme == "smtps"
    starttls = parse_qs(parts.query).get("starttls", [""])[0] == "1"
    try:
        with _connection(host, parts.port or (465 if secure else 25), secure) as server:
            server.ehlo()
            if starttls:
                server.starttls(context=ssl.create_default_context())
                server.ehlo()
    except (OSError, smtplib.SMTPException) as error:
        advice = "Check OUTREACH_SMTP_URL, and that this machine may connect there."
        return fail("smtp", f"{host} does not take our call ({type(error).__name__}).", advice)
    if parts.password and not (secure or starttls):
        return fail("smtp", "The password would travel in the clear.", "Add ?starttls=1 or use smtps://")
    return good("smtp", f"{host} answers{', encrypted' if secure or starttls else ''}.")


def _connection(host: str, port: int, secure: bool) -> smtplib.SMTP:
    if secure:
        return smtplib.SMTP_SSL(host, port, timeout=_PATIENCE, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, timeout=_PATIENCE)


# --- names ----------------------------------------------------------------------------------------------------------


def look_up(name: str, kind: str) -> list[str] | None:
    """Ask the machine's own resolvers, two seconds at most."""
    try:
        resolver = dns.resolver.Resolver()
        resolver.lifetime = _PATIENCE
        return [_plain(record) for record in resolver.resolve(name, kind)]
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.exception.DNSException, OSError):
        return None


def _plain(record: object) -> str:
    strings = getattr(record, "strings", None)
    return b"".join(strings).decode(errors="replace") if strings else str(record)


def look_at_domains(settings: Settings, names: LookUp) -> Iterator[Finding]:
    """What receivers will look for. The mailbox sends nothing, so there nothing is looked up."""
    if settings.transport == "mailbox":
        return
    domains = {address.partition("@")[2] for address in (settings.letters_from, settings.act_from, settings.news_from)}
    if unset := sorted(d for d in {*domains, settings.reply_domain} if _is_example(d)):
        worst = fail if reaches_the_world(settings) else warn
        yield worst("sender domains", f"{', '.join(unset)}: nobody may send as that.", "Set OUTREACH_MAIL_DOMAIN.")
        return
    with ThreadPoolExecutor(16) as pool:
        looks = [pool.submit(look, domain) for domain in sorted(domains) for look in _looks(settings, names)]
        looks.append(pool.submit(_replies, settings, names))
        yield from (look.result() for look in looks)


def _is_example(domain: str) -> bool:
    return any(domain == example or domain.endswith(f".{example}") for example in _EXAMPLES)


def _looks(settings: Settings, names: LookUp) -> list[Callable[[str], Finding]]:
    return [
        lambda domain: _spf(domain, names),
        lambda domain: _dkim(domain, names, required=settings.transport == "sendgrid" and reaches_the_world(settings)),
        lambda domain: _dmarc(domain, names),
    ]


def _unknown(about: str) -> Finding:
    return warn(about, "Could not be looked up.", "Run this again where name servers can be reached.")


def _spf(domain: str, names: LookUp) -> Finding:
    about = f"SPF of {domain}"
    found = names(domain, "TXT")
    if found is None:
        return _unknown(about)
    records = [r for r in found if r.lower().startswith("v=spf1")]
    if len(records) > 1:
        return fail(about, "There are several, which counts as none.", "Leave one.")
    if not records and (via := names(domain, "CNAME")):
        return good(about, f"Handed to {via[0].rstrip('.')}.")
    return good(about, records[0]) if records else warn(about, "There is none.", "Publish the one your provider names.")


def _dkim(domain: str, names: LookUp, *, required: bool) -> Finding:
    about = f"DKIM of {domain}"
    answers = [names(f"{s}._domainkey.{domain}", kind) for s in _SELECTORS for kind in ("CNAME", "TXT")]
    if any(answers):
        return good(about, "A signing key is published.")
    if None in answers:
        return _unknown(about)
    if required:
        return fail(about, "No key under s1 or s2._domainkey.", "Authenticate the domain at SendGrid.")
    return warn(about, "No key under s1 or s2._domainkey; your server may use other names.", "Check that it signs.")


def _dmarc(domain: str, names: LookUp) -> Finding:
    about = f"DMARC of {domain}"
    labels = domain.split(".")
    # A subdomain without one falls under its organisation's; we look upwards to the last two labels.
    answers = [names("_dmarc." + ".".join(labels[n:]), "TXT") for n in range(max(1, len(labels) - 1))]
    records = [r for answer in answers for r in answer or () if r.lower().startswith("v=dmarc1")]
    if records:
        return good(about, records[0])
    return _unknown(about) if None in answers else warn(about, "There is none.", "Large receivers ask for one.")


def _replies(settings: Settings, names: LookUp) -> Finding:
    about = f"MX of {settings.reply_domain}"
    found = names(settings.reply_domain, "MX")
    if found is None:
        return _unknown(about)
    if not found:
        return warn(about, "There is none: replies are lost.", "Publish one.")
    if "mx.sendgrid.net" in ", ".join(found).lower() and not settings.takes_posted_mail:
        advice = "Set OUTREACH_INBOUND_SECRET, and put it in the address that SendGrid posts to."
        return warn(about, "SendGrid takes replies there, and we refuse what it posts.", advice)
    return good(about, ", ".join(found))
