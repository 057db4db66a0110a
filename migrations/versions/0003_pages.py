"""What signers may choose, change, share and get back; replies; what staff set aside."""

import sqlalchemy as sa
from alembic import op

from outreach.migrating import add_columns, drop_columns

revision = "0003"
down_revision = "0002"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
At = sa.DateTime(timezone=True)
Word = sa.String(24)

#: Columns that older tables get.
COLUMNS = {
    "campaigns": [
        ("reply_mode", "VARCHAR", "'alias'"),
        ("edit_subject", "BOOLEAN", "false"),
        ("edit_body", "BOOLEAN", "false"),
        ("self_send", "BOOLEAN", "false"),
        ("high_risk", "BOOLEAN", "false"),
        ("households", "BOOLEAN", "false"),
        ("needs_postal_code", "BOOLEAN", "false"),
        ("signs_per_minute", "INTEGER", ""),
        ("embed_origins", "JSON", "'[]'"),
    ],
    "deliveries": [
        ("handled_at", "TIME", ""),
    ],
    "signatures": [
        ("own_subject", "VARCHAR", "''"),
        ("own_body", "VARCHAR", "''"),
        ("household_key", "VARCHAR", "''"),
        ("high_risk", "BOOLEAN", "false"),
        ("suspect", "VARCHAR", "''"),
        ("network", "VARCHAR", "''"),
        ("shredded_at", "TIME", ""),
        ("invalidation_id", "REF invalidations", ""),
    ],
}
STANDING = sa.text("state IN ('pending', 'confirmed')")
SUSPECT = sa.text("suspect <> ''")
CAME_BY = sa.text("source <> 'web'")


def upgrade() -> None:
    op.create_table(
        "invalidations",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("sieve", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", At, nullable=False),
        sa.Column("done_at", At, nullable=True),
        sa.Column("undone_by", sa.String(), nullable=False),
        sa.Column("undone_at", At, nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_invalidations_campaign_id_campaigns")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invalidations")),
    )
    op.create_index("ix_invalidations_campaign_id", "invalidations", ["campaign_id"])
    add_columns(COLUMNS)
    op.create_index("ix_signatures_invalidation_id", "signatures", ["invalidation_id"])
    op.create_index("ix_signatures_suspect", "signatures", ["id"], postgresql_where=SUSPECT, sqlite_where=SUSPECT)
    op.create_index("ix_signatures_source", "signatures", ["source"], postgresql_where=CAME_BY, sqlite_where=CAME_BY)
    _counted("campaign_id", "state", "suspect")
    _standing("campaign_id", "supporter_id", "household_key")

    op.create_table(
        "campaign_texts",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("title", "opening", "story", "why", "coalition", "call_to_act")
        ),
        sa.Column("demands", sa.JSON(), nullable=False),
        sa.Column("asks", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_texts_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_texts")),
        sa.UniqueConstraint("campaign_id", "language", name=op.f("uq_campaign_texts_campaign_id_language")),
    )
    op.create_table(
        "share_links",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("signature_id", Id, nullable=True),
        sa.Column("created_at", At, nullable=False),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_share_links_campaign_id_campaigns")),
        sa.ForeignKeyConstraint(
            ["signature_id"], ["signatures.id"], name=op.f("fk_share_links_signature_id_signatures")
        ),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_share_links")),
        sa.UniqueConstraint("signature_id", name=op.f("uq_share_links_signature_id")),
    )
    op.create_index("ix_share_links_campaign_id", "share_links", ["campaign_id"])
    op.create_table(
        "self_sends",
        sa.Column("signature_id", Id, nullable=False),
        sa.Column("target_id", Id, nullable=False),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("at", At, nullable=False),
        sa.ForeignKeyConstraint(
            ["signature_id"], ["signatures.id"], name=op.f("fk_self_sends_signature_id_signatures")
        ),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name=op.f("fk_self_sends_target_id_targets")),
        sa.PrimaryKeyConstraint("signature_id", "target_id", name=op.f("pk_self_sends")),
    )
    op.create_table(
        "replies",
        sa.Column("id", Id, nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("delivery_id", Id, nullable=False),
        sa.Column("signature_id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("kind", Word, nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("quoted", sa.String(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("received_at", At, nullable=False),
        sa.Column("forward_id", Id, nullable=True),
        sa.Column("share_state", Word, nullable=False),
        sa.Column("share_text", sa.String(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("decided_at", At, nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_replies_campaign_id_campaigns")),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name=op.f("fk_replies_delivery_id_deliveries")),
        sa.ForeignKeyConstraint(["forward_id"], ["deliveries.id"], name=op.f("fk_replies_forward_id_deliveries")),
        sa.ForeignKeyConstraint(["signature_id"], ["signatures.id"], name=op.f("fk_replies_signature_id_signatures")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replies")),
        sa.UniqueConstraint("digest", name=op.f("uq_replies_digest")),
        sa.UniqueConstraint("forward_id", name=op.f("uq_replies_forward_id")),
        sa.UniqueConstraint("ref", name=op.f("uq_replies_ref")),
    )
    op.create_index("ix_replies_delivery_id", "replies", ["delivery_id"])
    op.create_index("ix_replies_signature_id", "replies", ["signature_id"])
    op.create_index("ix_replies_campaign_share", "replies", ["campaign_id", "share_state"])
    op.create_table(
        "inbound_tallies",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "kind", name=op.f("pk_inbound_tallies")),
    )
    op.create_table(
        "leftovers",
        sa.Column("id", Id, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("asked_at", At, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leftovers")),
        sa.UniqueConstraint("kind", "key", name=op.f("uq_leftovers_kind_key")),
    )


def _standing(*columns: str) -> None:
    """One standing signature for each of these."""
    op.drop_index("uq_signatures_standing", "signatures")
    op.create_index(
        "uq_signatures_standing",
        "signatures",
        list(columns),
        unique=True,
        postgresql_where=STANDING,
        sqlite_where=STANDING,
    )


def _counted(*columns: str) -> None:
    """What signatures are counted by."""
    op.drop_index("ix_signatures_campaign_state", "signatures")
    op.create_index("ix_signatures_campaign_state", "signatures", list(columns))


def downgrade() -> None:
    for table in ("leftovers", "inbound_tallies", "replies", "self_sends", "share_links", "campaign_texts"):
        op.drop_table(table)
    # One address, one signature again: of those who shared one, the first stays.
    op.execute(
        "UPDATE signatures SET state = 'withdrawn' WHERE state IN ('pending', 'confirmed') AND EXISTS ("
        "SELECT 1 FROM signatures AS first WHERE first.campaign_id = signatures.campaign_id"
        " AND first.supporter_id = signatures.supporter_id AND first.state IN ('pending', 'confirmed')"
        " AND first.id < signatures.id)"
    )
    _standing("campaign_id", "supporter_id")
    _counted("campaign_id", "state")
    op.drop_index("ix_signatures_suspect", "signatures")
    op.drop_index("ix_signatures_source", "signatures")
    op.drop_index("ix_signatures_invalidation_id", "signatures")
    drop_columns(COLUMNS)
    op.drop_table("invalidations")
