"""Machines and people who answer letters. Texts are made up, in the shapes that offices use."""

from __future__ import annotations

import pytest

from outreach.domain.automatic import Signs, is_automatic, kind_of
from outreach.domain.replies import ReplyKind

PLAIN = Signs({})
HUMAN, ACK, AUTO = ReplyKind.HUMAN, ReplyKind.ACKNOWLEDGEMENT, ReplyKind.AUTO_REPLY


def of(
    headers: dict[str, str] | None = None, subject: str = "Re: A letter", text: str = "Yes.", sender: str = ""
) -> str:
    return kind_of(Signs(headers or {}, sender=sender), subject, text)


@pytest.mark.parametrize(
    "headers",
    [
        {"auto-submitted": "auto-replied"},
        {"auto-submitted": "auto-generated; owner=x"},
        {"auto-submitted": " AUTO-NOTIFIED"},
        {"x-auto-response-suppress": "All"},
        {"x-autoreply": "yes"},
        {"x-autorespond": "Re"},
        {"precedence": "bulk"},
        {"precedence": "Auto_Reply"},
        {"precedence": "list"},
        {"list-id": "<x.example.org>"},
        {"list-unsubscribe": "<mailto:x@example.org>"},
        {"x-oe-loop": "1"},
        {"return-path": "<>"},
        {"return-path": " < > "},
    ],
)
def test_e3_headers_of_machines_are_believed_whatever_the_words_say(headers: dict[str, str]) -> None:
    assert is_automatic(Signs(headers))
    assert of(headers, text="Dear Jane, I read your letter myself. Come and see me on Tuesday.") == AUTO


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"auto-submitted": "no"},
        {"auto-submitted": ["No", "(written", "by", "hand)"][0]},
        {"x-auto-response-suppress": "None"},
        {"precedence": "normal"},
        {"return-path": "<staff@office.example>"},
        {"x-mailer": "Outlook"},
    ],
)
def test_headers_that_say_nothing_of_machines_leave_it_to_the_words(headers: dict[str, str]) -> None:
    assert not is_automatic(Signs(headers))
    assert of(headers, text="Thank you for your letter. Come and see me on Tuesday.") == HUMAN


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("We have received your message", "Thank you for contacting the office. We read every message."),
        ("Re: Shelters", "Thank you for writing. This is an automated response; this mailbox is not monitored."),
        ("Re: Shelters", "Your letter has been received. Your case number is 4711."),
        ("Re: Shelters", "Thank you for your email. Due to the high volume of mail, we cannot answer each one."),
        ("Acuse de recibo", "Hemos recibido su carta y la leeremos con atención."),
        ("RE: Refugios", "Gracias por su mensaje. Este es un mensaje automático, no responda a este correo."),
        ("Re: Refugios", "Su carta ha sido recibida. Número de expediente: 33/2026."),
        ("Accusé de réception", "Nous avons bien reçu votre courrier."),
        ("Re: Abris", "Votre courriel a bien été reçu. Merci de ne pas répondre à ce message automatique."),
        ("Eingangsbestätigung", "Vielen Dank für Ihre Nachricht."),
        ("AW: Brief", "Ihr Schreiben ist bei uns eingegangen. Diese E-Mail wurde automatisch erstellt."),
        ("Re: Abrigos", "Recebemos a sua mensagem. Número de protocolo: 12."),
        ("Re: Pensiline", "Abbiamo ricevuto la sua lettera. Messaggio automatico."),
        ("Re: Haltes", "Wij hebben uw bericht ontvangen. Dit bericht is automatisch gegenereerd."),
    ],
)
def test_e3_an_acknowledgement_is_known_by_its_words_where_no_header_says_so(subject: str, text: str) -> None:
    assert kind_of(PLAIN, subject, text) == ACK


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Automatic reply: Shelters", "I am out of the office until Monday."),
        ("Out of Office Re: Shelters", "I will return on 9 March."),
        ("Respuesta automática: Refugios", "Estaré ausente hasta el lunes."),
        ("Réponse automatique : Abris", "Je suis absente jusqu’au 9 mars."),
        ("Automatische Antwort: Brief", "Ich bin ab Montag wieder im Büro."),
        ("Automatic reply: Shelters", "This is an automated message."),
    ],
)
def test_e3_an_absence_is_known_by_its_words(subject: str, text: str) -> None:
    assert kind_of(PLAIN, subject, text) == AUTO


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Re: Shelters", "Thank you for writing to me. I voted for it, and I will again."),
        ("Re: Shelters", "We have received your letter and talked about it yesterday. The answer is yes."),
        ("Re: Refugios", "Gracias por su carta. La comparto por completo."),
        ("Re: Shelters", "I was away from my desk when your letter came, so this is late. I agree with you."),
        ("Re: Shelters", "Please reply to this with the name of your street."),
        ("RE: Out of office hours there is no shelter", "Which stop do you mean?"),
        ("Re: Shelters", ""),
        (
            "Re: Shelters",
            "Thank you for contacting me about shelters. " + "The budget has room for twelve of them. " * 30
            + "Please do not reply to this e-mail; this mailbox is not monitored.",
        ),
    ],
)  # fmt: skip
def test_e3_what_a_person_wrote_is_not_taken_for_a_machines(subject: str, text: str) -> None:
    assert kind_of(PLAIN, subject, text) == HUMAN


def test_e3_bounces_and_complaints_are_known_by_their_parts_and_old_bounces_by_their_sender() -> None:
    assert kind_of(Signs({}, frozenset({"message/delivery-status"})), "Re: x", "") == ReplyKind.BOUNCE
    assert kind_of(Signs({}, frozenset({"message/feedback-report"})), "x", "") == ReplyKind.COMPLAINT
    assert of({"return-path": "<>"}, "Undelivered Mail Returned to Sender") == ReplyKind.BOUNCE
    assert of({}, "failure notice", sender="mailer-daemon@relay.example") == ReplyKind.BOUNCE
    assert of({"return-path": "<>"}, "Undeliverable hopes? No!") == ReplyKind.BOUNCE
    assert of({}, "Undeliverable hopes? No!") == HUMAN


def test_a_no_reply_sender_who_thanks_is_a_machine() -> None:
    assert of(text="Thank you for writing.", sender="noreply@office.example") == ACK
    assert of(text="Come on Tuesday.", sender="noreply@office.example") == HUMAN
