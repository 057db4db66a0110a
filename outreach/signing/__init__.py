"""What signers do: sign, confirm by the link in their mail, follow their letters, withdraw.

forms.py        what was typed becomes checked values, or one sentence for each wrong field
letters.py      the letters of one campaign, and the hash that ties a link to their exact text
links.py        links that are derived, sent, and kept as hashes only
agreements.py   the consent ledger
sign.py         a pending signature and its confirmation mail
doubts.py       what makes a signature suspect
standing.py     whose signature a form is, in a household too
asking.py       asking to confirm once more, or who was not asked when they signed
confirm.py      what the confirmation page shows, and the one POST that makes it count
receipts.py     what became of the letters, and what may still be done
changing.py     other words, or another name, until a letter leaves
withdrawing.py  taking a signature back, or the name in public
own_letters.py  the letters for somebody who sends them without signing
self_sending.py their word that they sent a letter themselves
sharing.py      a signer's short link, and who came by it
"""

from .asking import ask_again
from .changing import Changing, begin_change, change, changing, end_change, propose
from .confirm import Confirmed, Pending, confirm, look
from .doubts import Arrival
from .forms import SignForm, check
from .letters import CampaignLetters, Shown, target_label, text_hash
from .links import confirm_url, receipt_url
from .own_letters import OwnLetter, own_letters, self_send_campaign
from .receipts import Receipt, ReceiptLetter, receipt
from .self_sending import self_sent
from .sharing import Shares, count_visits, issue_share, shared_campaign, shares, source_of
from .sign import Signed, preview, sign
from .withdrawing import Withdrawn, show_name, whose, withdraw

__all__ = [
    "Arrival",
    "CampaignLetters",
    "Changing",
    "Confirmed",
    "OwnLetter",
    "Pending",
    "Receipt",
    "ReceiptLetter",
    "Shares",
    "Shown",
    "SignForm",
    "Signed",
    "Withdrawn",
    "ask_again",
    "begin_change",
    "change",
    "changing",
    "check",
    "confirm",
    "confirm_url",
    "count_visits",
    "end_change",
    "issue_share",
    "look",
    "own_letters",
    "preview",
    "propose",
    "receipt",
    "receipt_url",
    "self_send_campaign",
    "self_sent",
    "shared_campaign",
    "shares",
    "show_name",
    "sign",
    "source_of",
    "target_label",
    "text_hash",
    "whose",
    "withdraw",
]
