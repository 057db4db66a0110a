"""What signers do: sign, confirm by the link in their mail, follow their letters, withdraw.

forms.py        what was typed becomes checked values, or one sentence for each wrong field
letters.py      the letters of one campaign, and the hash that ties a link to their exact text
links.py        links that are derived, sent, and kept as hashes only
agreements.py   the consent ledger
sign.py         a pending signature and its confirmation mail
doubts.py       what makes a signature suspect
standing.py     whose signature a form is, in a household too
asking.py       asking to confirm who was not asked when they signed
confirm.py      what the confirmation page shows, and the one POST that makes it count
receipts.py     what became of the letters, and withdrawing
"""

from .confirm import Confirmed, Pending, confirm, look
from .doubts import Arrival
from .forms import SignForm, check
from .letters import CampaignLetters, Shown, target_label, text_hash
from .links import confirm_url, receipt_url
from .receipts import Receipt, ReceiptLetter, Withdrawn, receipt, withdraw
from .sign import Signed, sign

__all__ = [
    "Arrival",
    "CampaignLetters",
    "Confirmed",
    "Pending",
    "Receipt",
    "ReceiptLetter",
    "Shown",
    "SignForm",
    "Signed",
    "Withdrawn",
    "check",
    "confirm",
    "confirm_url",
    "look",
    "receipt",
    "receipt_url",
    "sign",
    "target_label",
    "text_hash",
    "withdraw",
]
