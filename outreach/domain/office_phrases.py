"""How the machines of offices put things, by language. Each phrase is the text of a regular expression."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: A subject that a program gave its answer.
SUBJECTS: Mapping[str, tuple[str, ...]] = {
    "en": (
        r"automatic reply",
        r"auto(?:matic)?[ -]?(?:reply|response)",
        r"out of (?:the )?office",
        r"(?:we|we've|we have) received your",
        r"your (?:message|letter|e-?mail) (?:has been|was) received",
        r"thank you for (?:contacting|your (?:message|e-?mail|letter|inquiry))",
        r"acknowledg(?:e?ment|ing) ",
    ),
    "es": (
        r"respuesta autom[aá]tica",
        r"fuera de (?:la )?oficina",
        r"acuse de recibo",
        r"confirmaci[oó]n de recepci[oó]n",
        r"gracias por (?:contactar|su mensaje|comunicarse)",
        r"hemos recibido su",
    ),
    "fr": (r"r[eé]ponse automatique", r"absence du bureau", r"accus[eé] de r[eé]ception"),
    "de": (r"automatische antwort", r"abwesenheits", r"eingangsbest[aä]tigung"),
    "pt": (r"resposta autom[aá]tica", r"confirma[cç][aã]o de recebimento"),
    "it": (r"risposta automatica", r"conferma di ricezione"),
    "nl": (r"automatisch antwoord", r"ontvangstbevestiging"),
}

#: "We have received your letter."
RECEIVED: Mapping[str, tuple[str, ...]] = {
    "en": (
        r"ha(?:s|ve) (?:been )?received (?:your|the) (?:letter|message|e-?mail|correspondence|inquiry|comments?)",
        r"your (?:letter|message|e-?mail|correspondence|inquiry) (?:has been|was|is) (?:received|registered)",
        r"(?:acknowledges?|confirms?) (?:the )?receipt",
        r"thank(?:s| you) for (?:contacting|writing|reaching out|getting in touch)",
        r"thank(?:s| you) for your (?:message|e-?mail|letter|inquiry|correspondence)",
    ),
    "es": (
        r"hemos recibido su",
        r"su (?:mensaje|carta|correo) (?:ha sido|fue) recibid",
        r"acusamos recibo",
        r"gracias por (?:contactar|escribir|comunicarse|ponerse en contacto)",
        r"gracias por su (?:mensaje|carta|correo)",
    ),
    "fr": (
        r"nous avons bien reçu",
        r"votre (?:message|courriel|courrier|lettre) a bien été",
        r"accusons réception",
    ),
    "de": (
        r"wir haben ihre? (?:nachricht|e-?mail|schreiben) erhalten",
        r"(?:nachricht|e-?mail|schreiben) ist (?:bei uns )?eingegangen",
        r"vielen dank für ihre? (?:nachricht|e-?mail|schreiben|anfrage)",
    ),
    "pt": (r"recebemos (?:a )?sua (?:mensagem|carta)", r"agradecemos o seu contato"),
    "it": (r"abbiamo ricevuto (?:il suo|la sua)", r"grazie per averci"),
    "nl": (r"wij hebben uw (?:bericht|e-?mail|brief) ontvangen", r"bedankt voor uw (?:bericht|e-?mail)"),
}

#: "I am away."
AWAY: Mapping[str, tuple[str, ...]] = {
    "en": (
        r"out of (?:the )?office",
        r"on (?:annual |parental |sick |maternity )?leave (?:until|from)",
        r"away from (?:my|the) (?:desk|office)",
        r"limited access to (?:my )?e-?mail",
        r"i am (?:currently )?away\b",
        r"will (?:be back|return) on",
    ),
    "es": (r"fuera de (?:la )?oficina", r"estar[eé] ausente", r"de vacaciones hasta", r"sin acceso a(?:l| mi) correo"),
    "fr": (r"absente? (?:du|jusqu)", r"de retour le"),
    "de": (
        r"nicht im (?:büro|haus)",
        r"bin (?:ich )?(?:derzeit |momentan )?abwesend",
        r"wieder (?:im büro|erreichbar)",
    ),
    "pt": (r"ausente (?:até|do)", r"fora do escritório"),
    "it": (r"fuori ufficio", r"assente (?:dal|fino)"),
    "nl": (r"afwezig", r"niet op kantoor"),
}

#: "No person reads this mailbox", and how long the queue is.
MACHINE: Mapping[str, tuple[str, ...]] = {
    "en": (
        r"this is an? (?:automat|auto-?(?:generated|reply|response))",
        r"automat(?:ed|ic|ically)[ -]?(?:generated )?(?:message|response|reply|e-?mail|acknowledg)",
        r"do not (?:reply|respond) (?:directly )?to this",
        r"(?:mailbox|inbox|address|account) is (?:not (?:monitored|checked|staffed)|unmonitored)",
        r"(?:due to|because of) the (?:high |large |great )?(?:volume|number|amount) of",
        r"(?:case|reference|ticket|tracking) (?:number|no\b|id\b|#)",
    ),
    "es": (
        r"(?:mensaje|respuesta|correo)(?: generad[oa])? autom[aá]tic",
        r"no (?:responda|conteste) (?:a )?este",
        r"debido al (?:gran |alto )?(?:volumen|n[uú]mero)",
        r"n[uú]mero de (?:caso|referencia|expediente|seguimiento)",
    ),
    "fr": (
        r"(?:message|réponse|courriel)(?: généré)? automatique",
        r"ne (?:pas répondre|répondez pas) à ce",
        r"numéro de dossier",
    ),
    "de": (
        r"automatisch (?:erstellt|generiert|versandt|erzeugt)",
        r"automatische (?:nachricht|antwort|e-?mail)",
        r"antworten sie nicht auf",
        r"vorgangsnummer|aktenzeichen",
    ),
    "pt": (r"mensagem automática", r"não responda", r"número de protocolo"),
    "it": (r"messaggio automatico", r"non rispond(?:a|ere) a quest", r"numero di protocollo"),
    "nl": (r"automatisch gegenereerd", r"niet beantwoorden"),
}

#: The subject of a mail that came back.
RETURNED: Mapping[str, tuple[str, ...]] = {
    "en": (
        r"undeliver",
        r"delivery (?:status|failure|has failed)",
        r"returned mail",
        r"failure notice",
        r"mail delivery",
    ),
    "es": (r"no se pudo entregar", r"correo devuelto"),
    "fr": (r"non remis",),
    "de": (r"unzustellbar",),
}


def any_of(phrases: Mapping[str, tuple[str, ...]]) -> re.Pattern[str]:
    """One pattern for all of them: an office writes in the language it writes in."""
    return re.compile("|".join(phrase for of_language in phrases.values() for phrase in of_language), re.IGNORECASE)
