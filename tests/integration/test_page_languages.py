"""Which language a page answers in, how its reader takes another, and that a new language is one file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from outreach import ladders, translating
from outreach.domain.deliveries import MailClass
from outreach.domain.ladders import Trigger
from outreach.models import Consent, Delivery, Signature, SignatureState
from outreach.sending.parcels import Desk
from tests import factories, pseudo
from tests.sites import Site, bare

SPANISH = {"accept-language": "es-MX,es;q=0.9,en;q=0.5"}


def lang(html: str) -> str:
    return html.partition('<html lang="')[2].partition('"')[0]


def get(site: Site, path: str, **headers: str) -> str:
    return site.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()}).text


def test_a_page_speaks_the_browsers_language_and_what_its_reader_chose_counts_more(site: Site) -> None:
    assert lang(get(site, "/c/shelters")) == "en"
    assert lang(get(site, "/c/shelters", accept_language=SPANISH["accept-language"])) == "es"

    chosen = site.client.get("/c/shelters?lang=es")
    assert lang(chosen.text) == "es"
    cookie = chosen.headers["set-cookie"]
    assert cookie.startswith("outreach-lang=es")
    assert "HttpOnly" in cookie
    assert "Max-Age" not in cookie  # it ends with the browser
    assert lang(get(site, "/", accept_language="en")) == "es"
    assert lang(get(site, "/?lang=tlh", accept_language="en")) == "es"


def test_answers_say_what_they_depend_on_and_what_they_are_in(site: Site) -> None:
    answer = site.client.get("/c/shelters", headers=SPANISH)

    assert answer.headers["content-language"] == "es"
    assert {"Accept-Language", "Cookie"} <= {part.strip() for part in answer.headers["vary"].split(",")}


def test_the_switch_leads_to_the_same_page_in_each_language(site: Site) -> None:
    confirm = site.sign()
    for path in ("/", "/c/shelters", confirm):
        html = get(site, path)
        assert f'<a href="{path}?lang=es" lang="es" hreflang="es"' in html
        assert '<span aria-current="true" lang="en">English</span>' in html
    assert "lang=es" not in get(site, "/nowhere")


def test_inner_pages_are_english_whatever_is_asked_for(site: Site) -> None:
    for path in ("/sign-in?lang=es", "/dev/mail?lang=es"):
        answer = site.client.get(path, headers=SPANISH)
        assert lang(answer.text) == "en"
        assert "outreach-lang" not in answer.headers.get("set-cookie", "")


def test_a_campaign_in_another_language_speaks_it_to_who_asks_for_none(site: Site) -> None:
    site.set(language="es")
    assert lang(get(site, "/c/shelters")) == "es"
    assert lang(get(site, "/c/shelters", accept_language="en")) == "en"


def test_errors_consents_and_the_mail_are_in_the_language_of_the_form(site: Site) -> None:
    wrong = site.client.post(
        "/c/shelters/sign", data={"name": "", "email": "nobody", "language": "es"}, headers=SPANISH
    )
    assert wrong.status_code == 422
    assert "Escriba su nombre tal como debe aparecer al pie de la carta." in bare(wrong.text)
    assert "No podemos escribir a esta dirección." in bare(wrong.text)

    confirm = site.sign(language="es", updates="yes")
    with site.db.read() as session:
        assert session.scalars(select(Signature.language)).one() == "es"
        consents = session.scalars(select(Consent).order_by(Consent.id)).all()
        assert {consent.language for consent in consents} == {"es"}
        assert any(consent.wording.endswith("hasta que yo diga basta.") for consent in consents)
        mail_id = session.scalars(select(Delivery.id).where(Delivery.mail_class == MailClass.CONFIRMATION)).one()
        (parcel,) = Desk(site.settings, site.keys).make_up(session, [mail_id])
        mail = parcel.write(site.now)
    assert mail.subject == "Confirme su carta: A bus shelter for every stop"
    assert "El enlace funciona hasta el 9 de marzo de 2026." in mail.text
    assert '<html lang="es" dir="ltr">' in mail.html
    site.client.cookies.clear()
    assert lang(get(site, confirm)) == "es"  # the mail's reader has chosen nothing here, but signed in Spanish


def test_a_form_without_cookies_goes_on_in_its_own_language(site: Site) -> None:
    """As from a frame on a partner's site, where nothing is kept."""
    filled = {"name": "Ana", "email": "ana@example.org", "language": "es"}

    wrong = site.client.post("/c/shelters/sign", data=filled | {"email": "ana"})
    check = site.client.post("/c/shelters/sign", data=filled | {"check": "yes"})
    signed = site.client.post("/c/shelters/sign", data=filled)

    assert [lang(wrong.text), lang(check.text)] == ["es", "es"]
    assert signed.headers["location"] == "/c/shelters/check-your-email?lang=es"
    assert lang(get(site, signed.headers["location"])) == "es"


def test_the_steps_every_campaign_begins_with_are_in_the_signers_language(site: Site) -> None:
    with site.db.begin() as session:
        campaign = site.campaign(session)
        ladder = ladders.build(session, campaign, "After", ladders.DEFAULTS, now=site.now, actor="test", checked=True)
        own = ladders.NewRung(Trigger.LETTER_ACCEPTED, "Ours: {{ campaign.title }}", "Hello {{ signer.first_name }}.")
        (other,) = ladders.build(session, campaign, "Other", [own], now=site.now, actor="test").rungs
        signature = factories.signature(session, campaign, name="Ana Ruiz", state=SignatureState.CONFIRMED)
        signature.language = "es"
        ids = [
            factories.delivery(session, signature, mail_class=MailClass.NOTICE, purpose=f"rung:{rung.id}").id
            for rung in (*ladder.rungs, other)
        ]
    with site.db.read() as session:
        gone, answer, ours = (parcel.write(site.now) for parcel in Desk(site.settings, site.keys).make_up(session, ids))

    assert gone.subject == "Su carta ya salió: A bus shelter for every stop"
    assert answer.text.startswith("Hola, Ana:")
    assert '<div lang="en" dir="ltr">' not in gone.html
    assert ours.subject == "Ours: A bus shelter for every stop"
    assert '<div lang="en" dir="ltr">' in ours.html
    assert "Recibe este correo porque firmó" in ours.text


def test_error_pages_speak_it_too(site: Site) -> None:
    assert "Página no encontrada" in bare(get(site, "/nowhere", accept_language="es"))


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[str]:
    with pseudo.spoken(tmp_path) as code:
        yield code


def test_a_new_language_is_one_file(foreign: str, site: Site) -> None:
    """Every word that is ours comes out of that file; every word of the campaign says that it is English."""
    assert translating.lacking(foreign) == []
    site.get(f"/?lang={foreign}")  # chosen once for all that follow
    page = site.get("/c/shelters")
    assert '<html lang="ar" dir="rtl">' in page
    assert 'lang="ar">العربية</span>' in page
    assert '<h1 lang="en" dir="ltr">A bus shelter for every stop</h1>' in page

    confirm = site.sign(language=foreign)
    shown = [site.get(path) for path in ("/", "/c/shelters/check-your-email", "/privacy", "/contact", confirm)]
    letter = site.confirm(confirm)
    shown += [site.get(path) for path in (letter, f"{letter}/withdraw", f"{letter}/erase", confirm)]
    for html in [page, *shown, site.get("/nowhere", 404)]:
        assert unsaid(html.partition("<main")[2].partition("</main>")[0]) == ""


#: What stands on pages without being anybody's language: people, offices, what they are called by.
_NAMES = (
    *("Mayor of Springfield", "Alex Rivera", "Transit Commissioner", "Sam Okafor", "Jane Doe", "Fair Streets"),
    *("A bus shelter for every stop", "Outreach", "1 Example Street", "Springfield", "UTC"),
)


def unsaid(html: str) -> str:
    """The English words of a page that neither the file nor a `lang` accounts for."""
    html = re.sub(r'<(\w+)[^>]* lang="en"[^>]*>.*?</\1>', " ", html, flags=re.DOTALL)
    text = re.sub(r"\b[a-z2-7]{16}\b|\S*/s/\S+", " ", bare(f"<main{html}"))  # a reference, a short link
    for name in _NAMES:
        text = text.replace(name, " ")
    while (inner := re.sub(r"⟦[^⟦⟧]*⟧", "", text)) != text:
        text = inner
    return " ".join(re.findall(r"[A-Za-z]{3,}", text))
