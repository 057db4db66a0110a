"""Signers whom it may harm to be named: nothing is taken or kept of them that their letter does not need."""

from __future__ import annotations

from dataclasses import replace

from outreach.models import Campaign

from .forms import Signer


def careful(campaign: Campaign, signer: Signer) -> Signer:
    """The form as it is taken: of a signer at risk, by their own word or their campaign's, as little as can be.

    Their name is never shown, no office learns their address, and a postal code is kept only where targets need it.
    """
    if not (campaign.high_risk or signer.high_risk):
        return signer
    postal_code = signer.postal_code if campaign.needs_postal_code else ""
    return replace(signer, high_risk=True, show_name=False, share_address=False, postal_code=postal_code)
