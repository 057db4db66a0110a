"""The outreach engine: people sign a letter, the engine confirms each signer, merges name and own words into
the letter, hands it to the people addressed at a pace their mailboxes can bear, and keeps the books balanced.

Read it in this order: `domain/deliveries.py` (the states a mail can be in), `signing.py` (what a signer does),
`outbox.py` (the only place that moves a mail that has not left), `sending.py` (claim, merge, hand over, settle),
`workers/tasks.py` (who rings), `webhooks/sendgrid.py` and `feedback/` (what the provider reports).

The database row is the truth. A Celery message is a doorbell: losing every one of them costs seconds, never mail.
"""

__version__ = "0.1.0"
