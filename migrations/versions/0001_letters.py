"""The first release: campaigns, letters, signatures, deliveries and their books."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
At = sa.DateTime(timezone=True)
Word = sa.String(24)

#: Tables whose rows nobody may change or delete, the engine included.
APPEND_ONLY = ("audit_log", "consents")


def _refuse_changes() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    if not sqlite:
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        )
    for table in APPEND_ONLY:
        if not sqlite:
            op.execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            )
            continue
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", Id, nullable=False),
        sa.Column("at", At, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "brakes",
        sa.Column("id", Id, nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("pulled_by", sa.String(), nullable=False),
        sa.Column("pulled_at", At, nullable=False),
        sa.Column("lifted_by", sa.String(), nullable=True),
        sa.Column("lifted_at", At, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brakes")),
    )
    with op.batch_alter_table("brakes", schema=None) as batch_op:
        batch_op.create_index(
            "uq_brakes_pulled",
            ["scope"],
            unique=True,
            postgresql_where=sa.text("lifted_at IS NULL"),
            sqlite_where=sa.text("lifted_at IS NULL"),
        )

    op.create_table(
        "campaigns",
        sa.Column("id", Id, nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("kind", Word, nullable=False),
        sa.Column("state", Word, nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("opening", sa.String(), nullable=False),
        sa.Column("story", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("coalition", sa.String(), nullable=False),
        sa.Column("call_to_act", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("hold_for_waves", sa.Boolean(), nullable=False),
        sa.Column("source_hash", sa.String(), nullable=False),
        sa.Column("created_at", At, nullable=False),
        sa.Column("published_at", At, nullable=True),
        sa.Column("closed_at", At, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("slug", name=op.f("uq_campaigns_slug")),
    )
    op.create_table(
        "counters",
        sa.Column("campaign_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("wave_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("class", Word, nullable=False),
        sa.Column("state", Word, nullable=False),
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "wave_id", "class", "state", "shard", name=op.f("pk_counters")),
    )
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("started_at", At, nullable=False),
        sa.Column("seen_at", At, nullable=False),
        sa.Column("in_flight", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeats")),
    )
    op.create_table(
        "lanes",
        sa.Column("id", Id, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("stream", Word, nullable=False),
        sa.Column("per_hour", sa.Integer(), nullable=True),
        sa.Column("per_day", sa.Integer(), nullable=True),
        sa.Column("hours", sa.String(), nullable=True),
        sa.Column("days", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("opens_at", At, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lanes")),
        sa.UniqueConstraint("key", name=op.f("uq_lanes_key")),
    )
    with op.batch_alter_table("lanes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lanes_stream"), ["stream"], unique=False)

    op.create_table(
        "minutes",
        sa.Column("minute", At, nullable=False),
        sa.Column("stream", Word, nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("minute", "stream", "outcome", "shard", name=op.f("pk_minutes")),
    )
    op.create_table(
        "organisations",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisations")),
        sa.UniqueConstraint("name", name=op.f("uq_organisations_name")),
    )
    op.create_table(
        "provider_states",
        sa.Column("transport", sa.String(), nullable=False),
        sa.Column("closed_until", At, nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("strikes", sa.Integer(), nullable=False),
        sa.Column("changed_at", At, nullable=False),
        sa.PrimaryKeyConstraint("transport", name=op.f("pk_provider_states")),
    )
    op.create_table(
        "supporters",
        sa.Column("id", Id, nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("address_key", sa.String(), nullable=False),
        sa.Column("address_hash", sa.String(), nullable=False),
        sa.Column("created_at", At, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supporters")),
        sa.UniqueConstraint("address_hash", name=op.f("uq_supporters_address_hash")),
        sa.UniqueConstraint("address_key", name=op.f("uq_supporters_address_key")),
        sa.UniqueConstraint("ref", name=op.f("uq_supporters_ref")),
    )
    op.create_table(
        "suppressions",
        sa.Column("id", Id, nullable=False),
        sa.Column("address_hash", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("at", At, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
        sa.UniqueConstraint("address_hash", "scope", name=op.f("uq_suppressions_address_hash_scope")),
    )
    op.create_table(
        "targets",
        sa.Column("id", Id, nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("office", sa.String(), nullable=False),
        sa.Column("salutation", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("created_at", At, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_targets")),
        sa.UniqueConstraint("external_id", name=op.f("uq_targets_external_id")),
        sa.UniqueConstraint("key", name=op.f("uq_targets_key")),
        sa.UniqueConstraint("ref", name=op.f("uq_targets_ref")),
    )
    op.create_table(
        "users",
        sa.Column("id", Id, nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", Word, nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", At, nullable=False),
        sa.Column("disabled_at", At, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_table(
        "asks",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("link_label", sa.String(), nullable=False),
        sa.Column("link_url", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_asks_campaign_id_campaigns")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asks")),
        sa.UniqueConstraint("campaign_id", "position", name=op.f("uq_asks_campaign_id_position")),
    )
    op.create_table(
        "consents",
        sa.Column("id", Id, nullable=False),
        sa.Column("supporter_id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=True),
        sa.Column("organisation_id", Id, nullable=True),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("wording", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("at", At, nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_consents_campaign_id_campaigns")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_consents_organisation_id_organisations")
        ),
        sa.ForeignKeyConstraint(["supporter_id"], ["supporters.id"], name=op.f("fk_consents_supporter_id_supporters")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_consents_supporter_id"), ["supporter_id"], unique=False)

    op.create_table(
        "contacts",
        sa.Column("id", Id, nullable=False),
        sa.Column("target_id", Id, nullable=False),
        sa.Column("channel", Word, nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("address_hash", sa.String(), nullable=True),
        sa.Column("lane_id", Id, nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", Word, nullable=False),
        sa.Column("created_at", At, nullable=False),
        sa.Column("ended_at", At, nullable=True),
        sa.ForeignKeyConstraint(["lane_id"], ["lanes.id"], name=op.f("fk_contacts_lane_id_lanes")),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name=op.f("fk_contacts_target_id_targets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
    )
    with op.batch_alter_table("contacts", schema=None) as batch_op:
        batch_op.create_index(
            "uq_contacts_current",
            ["target_id", "channel"],
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
            sqlite_where=sa.text("ended_at IS NULL"),
        )

    op.create_table(
        "demands",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_demands_campaign_id_campaigns")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_demands")),
        sa.UniqueConstraint("campaign_id", "number", name=op.f("uq_demands_campaign_id_number")),
    )
    op.create_table(
        "letter_versions",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("header", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("footer", sa.String(), nullable=False),
        sa.Column("created_at", At, nullable=False),
        sa.Column("signed_at", At, nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_letter_versions_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letter_versions")),
        sa.UniqueConstraint("campaign_id", "number", name=op.f("uq_letter_versions_campaign_id_number")),
    )
    op.create_table(
        "sessions",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", At, nullable=False),
        sa.Column("seen_at", At, nullable=False),
        sa.Column("expires_at", At, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id_users")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_sessions")),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sessions_user_id"), ["user_id"], unique=False)

    op.create_table(
        "signatures",
        sa.Column("id", Id, nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("supporter_id", Id, nullable=False),
        sa.Column("state", Word, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("city", sa.String(), nullable=False),
        sa.Column("postal_code", sa.String(), nullable=False),
        sa.Column("own_words", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("text_hash", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("created_at", At, nullable=False),
        sa.Column("confirmed_at", At, nullable=True),
        sa.Column("withdrawn_at", At, nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_signatures_campaign_id_campaigns")),
        sa.ForeignKeyConstraint(
            ["supporter_id"], ["supporters.id"], name=op.f("fk_signatures_supporter_id_supporters")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signatures")),
        sa.UniqueConstraint("ref", name=op.f("uq_signatures_ref")),
    )
    with op.batch_alter_table("signatures", schema=None) as batch_op:
        batch_op.create_index("ix_signatures_campaign_state", ["campaign_id", "state"], unique=False)
        batch_op.create_index("ix_signatures_supporter_id", ["supporter_id"], unique=False)
        batch_op.create_index(
            "uq_signatures_standing",
            ["campaign_id", "supporter_id"],
            unique=True,
            postgresql_where=sa.text("state IN ('pending', 'confirmed')"),
            sqlite_where=sa.text("state IN ('pending', 'confirmed')"),
        )

    op.create_table(
        "sponsorships",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("organisation_id", Id, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.CheckConstraint("role IN ('lead', 'co')", name=op.f("ck_sponsorships_role")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_sponsorships_campaign_id_campaigns")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_sponsorships_organisation_id_organisations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sponsorships")),
        sa.UniqueConstraint("campaign_id", "organisation_id", name=op.f("uq_sponsorships_campaign_id_organisation_id")),
    )
    with op.batch_alter_table("sponsorships", schema=None) as batch_op:
        batch_op.create_index(
            "uq_sponsorships_one_lead",
            ["campaign_id"],
            unique=True,
            postgresql_where=sa.text("role = 'lead'"),
            sqlite_where=sa.text("role = 'lead'"),
        )

    op.create_table(
        "waves",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("kind", Word, nullable=False),
        sa.Column("state", Word, nullable=False),
        sa.Column("is_standing", sa.Boolean(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", At, nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_waves_campaign_id_campaigns")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waves")),
    )
    with op.batch_alter_table("waves", schema=None) as batch_op:
        batch_op.create_index(
            "uq_waves_standing",
            ["campaign_id"],
            unique=True,
            postgresql_where=sa.text("is_standing"),
            sqlite_where=sa.text("is_standing"),
        )

    op.create_table(
        "addressings",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("target_id", Id, nullable=False),
        sa.Column("version_id", Id, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_addressings_campaign_id_campaigns")),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name=op.f("fk_addressings_target_id_targets")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["letter_versions.id"], name=op.f("fk_addressings_version_id_letter_versions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_addressings")),
        sa.UniqueConstraint("campaign_id", "target_id", name=op.f("uq_addressings_campaign_id_target_id")),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", Id, nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("class", Word, nullable=False),
        sa.Column("stream", Word, nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("state", Word, nullable=False),
        sa.Column("event_state", Word, nullable=True),
        sa.Column("event_at", At, nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("wave_id", Id, nullable=True),
        sa.Column("signature_id", Id, nullable=True),
        sa.Column("supporter_id", Id, nullable=True),
        sa.Column("target_id", Id, nullable=True),
        sa.Column("contact_id", Id, nullable=True),
        sa.Column("version_id", Id, nullable=True),
        sa.Column("lane_id", Id, nullable=True),
        sa.Column("address_hash", sa.String(), nullable=True),
        sa.Column("reply_hash", sa.String(), nullable=True),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("created_at", At, nullable=False),
        sa.Column("due_at", At, nullable=False),
        sa.Column("claim_token", sa.String(), nullable=True),
        sa.Column("claimed_until", At, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("resends", sa.Integer(), nullable=False),
        sa.Column("maybe_sent", sa.Boolean(), nullable=False),
        sa.Column("doubt_since", At, nullable=True),
        sa.Column("accepted_at", At, nullable=True),
        sa.CheckConstraint(
            "(state IN ('claimed', 'sending')) = (claim_token IS NOT NULL)", name=op.f("ck_deliveries_claim")
        ),
        sa.CheckConstraint(
            "class <> 'letter' OR (signature_id IS NOT NULL AND target_id IS NOT NULL)",
            name=op.f("ck_deliveries_letter"),
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_deliveries_campaign_id_campaigns")),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_deliveries_contact_id_contacts")),
        sa.ForeignKeyConstraint(["lane_id"], ["lanes.id"], name=op.f("fk_deliveries_lane_id_lanes")),
        sa.ForeignKeyConstraint(
            ["signature_id"], ["signatures.id"], name=op.f("fk_deliveries_signature_id_signatures")
        ),
        sa.ForeignKeyConstraint(
            ["supporter_id"], ["supporters.id"], name=op.f("fk_deliveries_supporter_id_supporters")
        ),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name=op.f("fk_deliveries_target_id_targets")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["letter_versions.id"], name=op.f("fk_deliveries_version_id_letter_versions")
        ),
        sa.ForeignKeyConstraint(["wave_id"], ["waves.id"], name=op.f("fk_deliveries_wave_id_waves")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("ref", name=op.f("uq_deliveries_ref")),
        sa.UniqueConstraint("reply_hash", name=op.f("uq_deliveries_reply_hash")),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index("ix_deliveries_campaign_state", ["campaign_id", "state"], unique=False)
        batch_op.create_index(
            "ix_deliveries_doubt",
            ["doubt_since"],
            unique=False,
            postgresql_where=sa.text("state = 'in_doubt'"),
            sqlite_where=sa.text("state = 'in_doubt'"),
        )
        batch_op.create_index(
            "ix_deliveries_due",
            ["lane_id", "due_at", "id"],
            unique=False,
            postgresql_where=sa.text("state = 'queued'"),
            sqlite_where=sa.text("state = 'queued'"),
        )
        batch_op.create_index(
            "ix_deliveries_held",
            ["target_id"],
            unique=False,
            postgresql_where=sa.text("state = 'held'"),
            sqlite_where=sa.text("state = 'held'"),
        )
        batch_op.create_index(
            "ix_deliveries_lease",
            ["claimed_until"],
            unique=False,
            postgresql_where=sa.text("state IN ('claimed', 'sending')"),
            sqlite_where=sa.text("state IN ('claimed', 'sending')"),
        )
        batch_op.create_index("ix_deliveries_signature", ["signature_id"], unique=False)
        batch_op.create_index(
            "ix_deliveries_stream_due",
            ["stream", "due_at", "id"],
            unique=False,
            postgresql_where=sa.text("state = 'queued'"),
            sqlite_where=sa.text("state = 'queued'"),
        )
        batch_op.create_index(
            "uq_deliveries_letter",
            ["signature_id", "target_id"],
            unique=True,
            postgresql_where=sa.text("class = 'letter'"),
            sqlite_where=sa.text("class = 'letter'"),
        )
        batch_op.create_index(
            "uq_deliveries_mailing",
            ["wave_id", "supporter_id"],
            unique=True,
            postgresql_where=sa.text("class = 'mailing'"),
            sqlite_where=sa.text("class = 'mailing'"),
        )
        batch_op.create_index(
            "uq_deliveries_notice",
            ["signature_id", "purpose", "serial"],
            unique=True,
            postgresql_where=sa.text("class IN ('confirmation', 'notice')"),
            sqlite_where=sa.text("class IN ('confirmation', 'notice')"),
        )

    op.create_table(
        "tokens",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("signature_id", Id, nullable=True),
        sa.Column("supporter_id", Id, nullable=True),
        sa.Column("user_id", Id, nullable=True),
        sa.Column("text_hash", sa.String(), nullable=False),
        sa.Column("created_at", At, nullable=False),
        sa.Column("expires_at", At, nullable=True),
        sa.Column("used_at", At, nullable=True),
        sa.Column("voided_at", At, nullable=True),
        sa.ForeignKeyConstraint(["signature_id"], ["signatures.id"], name=op.f("fk_tokens_signature_id_signatures")),
        sa.ForeignKeyConstraint(["supporter_id"], ["supporters.id"], name=op.f("fk_tokens_supporter_id_supporters")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tokens_user_id_users")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_tokens")),
    )
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tokens_signature_id"), ["signature_id"], unique=False)

    op.create_table(
        "anomalies",
        sa.Column("id", Id, nullable=False),
        sa.Column("delivery_id", Id, nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("at", At, nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name=op.f("fk_anomalies_delivery_id_deliveries")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_anomalies")),
    )
    op.create_table(
        "attempts",
        sa.Column("delivery_id", Id, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("lane_id", Id, nullable=False),
        sa.Column("claim_token", sa.String(), nullable=False),
        sa.Column("transport", sa.String(), nullable=False),
        sa.Column("started_at", At, nullable=False),
        sa.Column("ended_at", At, nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('accepted', 'refused', 'unavailable', 'unknown')", name=op.f("ck_attempts_outcome")
        ),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name=op.f("fk_attempts_delivery_id_deliveries")),
        sa.ForeignKeyConstraint(["lane_id"], ["lanes.id"], name=op.f("fk_attempts_lane_id_lanes")),
        sa.PrimaryKeyConstraint("delivery_id", "number", name=op.f("pk_attempts")),
    )
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.create_index("ix_attempts_lane_ended", ["lane_id", "ended_at"], unique=False)

    op.create_table(
        "delivery_log",
        sa.Column("id", Id, nullable=False),
        sa.Column("delivery_id", Id, nullable=False),
        sa.Column("at", At, nullable=False),
        sa.Column("from_state", Word, nullable=True),
        sa.Column("to_state", Word, nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_delivery_log_delivery_id_deliveries")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_log")),
    )
    with op.batch_alter_table("delivery_log", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_delivery_log_delivery_id"), ["delivery_id"], unique=False)

    op.create_table(
        "provider_events",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("delivery_id", Id, nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("kind", Word, nullable=False),
        sa.Column("at", At, nullable=False),
        sa.Column("received_at", At, nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_provider_events_delivery_id_deliveries")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_events")),
    )
    with op.batch_alter_table("provider_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_provider_events_delivery_id"), ["delivery_id"], unique=False)
    _refuse_changes()


def downgrade() -> None:
    with op.batch_alter_table("provider_events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_provider_events_delivery_id"))

    op.drop_table("provider_events")
    with op.batch_alter_table("delivery_log", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_delivery_log_delivery_id"))

    op.drop_table("delivery_log")
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.drop_index("ix_attempts_lane_ended")

    op.drop_table("attempts")
    op.drop_table("anomalies")
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tokens_signature_id"))

    op.drop_table("tokens")
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_deliveries_notice",
            postgresql_where=sa.text("class IN ('confirmation', 'notice')"),
            sqlite_where=sa.text("class IN ('confirmation', 'notice')"),
        )
        batch_op.drop_index(
            "uq_deliveries_mailing",
            postgresql_where=sa.text("class = 'mailing'"),
            sqlite_where=sa.text("class = 'mailing'"),
        )
        batch_op.drop_index(
            "uq_deliveries_letter",
            postgresql_where=sa.text("class = 'letter'"),
            sqlite_where=sa.text("class = 'letter'"),
        )
        batch_op.drop_index(
            "ix_deliveries_stream_due",
            postgresql_where=sa.text("state = 'queued'"),
            sqlite_where=sa.text("state = 'queued'"),
        )
        batch_op.drop_index("ix_deliveries_signature")
        batch_op.drop_index(
            "ix_deliveries_lease",
            postgresql_where=sa.text("state IN ('claimed', 'sending')"),
            sqlite_where=sa.text("state IN ('claimed', 'sending')"),
        )
        batch_op.drop_index(
            "ix_deliveries_held", postgresql_where=sa.text("state = 'held'"), sqlite_where=sa.text("state = 'held'")
        )
        batch_op.drop_index(
            "ix_deliveries_due", postgresql_where=sa.text("state = 'queued'"), sqlite_where=sa.text("state = 'queued'")
        )
        batch_op.drop_index(
            "ix_deliveries_doubt",
            postgresql_where=sa.text("state = 'in_doubt'"),
            sqlite_where=sa.text("state = 'in_doubt'"),
        )
        batch_op.drop_index("ix_deliveries_campaign_state")

    op.drop_table("deliveries")
    op.drop_table("addressings")
    with op.batch_alter_table("waves", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_waves_standing", postgresql_where=sa.text("is_standing"), sqlite_where=sa.text("is_standing")
        )

    op.drop_table("waves")
    with op.batch_alter_table("sponsorships", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_sponsorships_one_lead", postgresql_where=sa.text("role = 'lead'"), sqlite_where=sa.text("role = 'lead'")
        )

    op.drop_table("sponsorships")
    with op.batch_alter_table("signatures", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_signatures_standing",
            postgresql_where=sa.text("state IN ('pending', 'confirmed')"),
            sqlite_where=sa.text("state IN ('pending', 'confirmed')"),
        )
        batch_op.drop_index("ix_signatures_supporter_id")
        batch_op.drop_index("ix_signatures_campaign_state")

    op.drop_table("signatures")
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sessions_user_id"))

    op.drop_table("sessions")
    op.drop_table("letter_versions")
    op.drop_table("demands")
    with op.batch_alter_table("contacts", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_contacts_current",
            postgresql_where=sa.text("ended_at IS NULL"),
            sqlite_where=sa.text("ended_at IS NULL"),
        )

    op.drop_table("contacts")
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_consents_supporter_id"))

    op.drop_table("consents")
    op.drop_table("asks")
    op.drop_table("users")
    op.drop_table("targets")
    op.drop_table("suppressions")
    op.drop_table("supporters")
    op.drop_table("provider_states")
    op.drop_table("organisations")
    op.drop_table("minutes")
    with op.batch_alter_table("lanes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_lanes_stream"))

    op.drop_table("lanes")
    op.drop_table("heartbeats")
    op.drop_table("counters")
    op.drop_table("campaigns")
    with op.batch_alter_table("brakes", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_brakes_pulled", postgresql_where=sa.text("lifted_at IS NULL"), sqlite_where=sa.text("lifted_at IS NULL")
        )

    op.drop_table("brakes")
    op.drop_table("audit_log")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION refuse_change()")
