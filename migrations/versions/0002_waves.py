"""Waves, budgets, bundles, ladders, reports as they come, alerts."""

import sqlalchemy as sa
from alembic import op

from outreach.migrating import add_columns, drop_columns

revision = "0002"
down_revision = "0001"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
At = sa.DateTime(timezone=True)
Word = sa.String(24)

#: Columns that older tables get.
COLUMNS = {
    "attempts": [("bundle_id", "REF bundles", ""), ("counted", "BOOLEAN", "true")],
    "deliveries": [("replied_at", "TIME", "")],
    "lanes": [
        ("domain", "VARCHAR", "''"),
        ("calendar", "VARCHAR", "''"),
        ("curve", "JSON", ""),
        ("bundle", "BOOLEAN", "false"),
    ],
    "provider_events": [
        ("env", "VARCHAR", ""),
        ("ref", "VARCHAR", "''"),
        ("address_hash", "VARCHAR", ""),
        ("hard", "BOOLEAN", "true"),
        ("cause", "VARCHAR(24)", ""),
        ("raw", "JSON", ""),
        ("applied_at", "TIME", ""),
    ],
    "signatures": [("shared_at", "TIME", "")],
    "supporters": [("erased_at", "TIME", "")],
    "waves": [
        ("created_by", "VARCHAR", "''"),
        ("audience", "JSON", "'{}'"),
        ("mailing_id", "REF mailings", ""),
        ("start_wall", "VARCHAR", "''"),
        ("by_wall", "VARCHAR", "''"),
        ("zone", "VARCHAR", "'UTC'"),
        ("start_at", "TIME", ""),
        ("by_at", "TIME", ""),
        ("per_hour", "INTEGER", ""),
        ("hours", "VARCHAR", ""),
        ("days", "VARCHAR", "'all'"),
        ("curve", "JSON", ""),
        ("undo_seconds", "INTEGER", "0"),
        ("max_late_seconds", "INTEGER", "3600"),
        ("canary", "INTEGER", "0"),
        ("reason", "VARCHAR", "''"),
        ("lane_id", "REF lanes", ""),
        ("go_at", "TIME", ""),
        ("planned_to", "BIGINT", "0"),
        ("planned_at", "TIME", ""),
        ("phase", "VARCHAR(24)", "'full'"),
        ("phase_limit", "INTEGER", ""),
        ("phase_at", "TIME", ""),
        ("forgiven", "JSON", "'{}'"),
        ("previewed_at", "TIME", ""),
        ("started_at", "TIME", ""),
        ("finished_at", "TIME", ""),
    ],
}
CAUSED = sa.text("cause IS NOT NULL")
WAITING = sa.text("applied_at IS NULL")
QUEUED = sa.text("state = 'queued'")
FAILED = sa.text("event_state IN ('bounced', 'complained')")


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", Id, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("opened_at", At, nullable=False),
        sa.Column("closed_at", At, nullable=True),
        sa.Column("closed_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_index(
        "uq_alerts_open",
        "alerts",
        ["key"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
        sqlite_where=sa.text("closed_at IS NULL"),
    )

    op.create_table(
        "budgets",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("per_hour", sa.Integer(), nullable=True),
        sa.Column("per_day", sa.Integer(), nullable=True),
        sa.Column("hours", sa.String(), nullable=True),
        sa.Column("days", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("curve", sa.JSON(), nullable=True),
        sa.Column("hour_next", At, nullable=True),
        sa.Column("day_next", At, nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_budgets")),
    )
    op.create_table(
        "holidays",
        sa.Column("calendar", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("calendar", "day", name=op.f("pk_holidays")),
    )
    op.create_table(
        "bundles",
        sa.Column("id", Id, nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("lane_id", Id, nullable=False),
        sa.Column("target_id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("letters", sa.Integer(), nullable=False),
        sa.Column("created_at", At, nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_bundles_campaign_id_campaigns")),
        sa.ForeignKeyConstraint(["lane_id"], ["lanes.id"], name=op.f("fk_bundles_lane_id_lanes")),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name=op.f("fk_bundles_target_id_targets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bundles")),
        sa.UniqueConstraint("ref", name=op.f("uq_bundles_ref")),
    )
    op.create_index("ix_bundles_lane_id", "bundles", ["lane_id"], unique=False)

    op.create_table(
        "ladders",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", At, nullable=False),
        sa.Column("stopped_at", At, nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_ladders_campaign_id_campaigns")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ladders")),
    )
    op.create_index("ix_ladders_campaign_id", "ladders", ["campaign_id"], unique=False)

    op.create_table(
        "mailings",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("created_at", At, nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_mailings_campaign_id_campaigns")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailings")),
    )
    op.create_index("ix_mailings_campaign_id", "mailings", ["campaign_id"], unique=False)

    op.create_table(
        "rungs",
        sa.Column("id", Id, nullable=False),
        sa.Column("ladder_id", Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("trigger", Word, nullable=False),
        sa.Column("wait_seconds", sa.Integer(), nullable=False),
        sa.Column("at_wall", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("created_at", At, nullable=False),
        sa.Column("ended_at", At, nullable=True),
        sa.Column("climbed_at", At, nullable=True),
        sa.ForeignKeyConstraint(["ladder_id"], ["ladders.id"], name=op.f("fk_rungs_ladder_id_ladders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rungs")),
    )
    op.create_index("ix_rungs_ladder_id", "rungs", ["ladder_id"], unique=False)

    op.create_table(
        "steps",
        sa.Column("id", Id, nullable=False),
        sa.Column("rung_id", Id, nullable=False),
        sa.Column("signature_id", Id, nullable=False),
        sa.Column("state", Word, nullable=False),
        sa.Column("due_at", At, nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("delivery_id", Id, nullable=True),
        sa.Column("created_at", At, nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name=op.f("fk_steps_delivery_id_deliveries")),
        sa.ForeignKeyConstraint(["rung_id"], ["rungs.id"], name=op.f("fk_steps_rung_id_rungs")),
        sa.ForeignKeyConstraint(["signature_id"], ["signatures.id"], name=op.f("fk_steps_signature_id_signatures")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_steps")),
        sa.UniqueConstraint("rung_id", "signature_id", name=op.f("uq_steps_rung_id_signature_id")),
    )
    op.create_index(
        "ix_steps_due",
        "steps",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
        sqlite_where=sa.text("state = 'waiting'"),
    )
    op.create_index("ix_steps_signature_id", "steps", ["signature_id"], unique=False)
    add_columns(COLUMNS)
    op.create_index("ix_attempts_bundle_id", "attempts", ["bundle_id"])
    op.create_index(
        "ix_deliveries_waiting",
        "deliveries",
        ["lane_id", "campaign_id", "due_at", "id"],
        postgresql_where=QUEUED,
        sqlite_where=QUEUED,
    )
    op.create_index("ix_deliveries_supporter", "deliveries", ["supporter_id", "class", "accepted_at"])
    op.create_index("ix_deliveries_wave_state", "deliveries", ["wave_id", "state"])
    op.create_index(
        "ix_deliveries_wave_event",
        "deliveries",
        ["wave_id", "event_state"],
        postgresql_where=FAILED,
        sqlite_where=FAILED,
    )
    op.create_index(
        "ix_provider_events_waiting",
        "provider_events",
        ["received_at"],
        postgresql_where=WAITING,
        sqlite_where=WAITING,
    )
    op.create_index("ix_provider_events_received_at", "provider_events", ["received_at"])
    op.create_index(
        "ix_provider_events_cause",
        "provider_events",
        ["cause"],
        postgresql_where=CAUSED,
        sqlite_where=CAUSED,
    )
    # What was reported before was applied as it came.
    op.execute("UPDATE provider_events SET applied_at = received_at")
    op.execute("UPDATE waves SET state = 'cancelled' WHERE state = 'stopped'")
    op.execute("UPDATE waves SET state = 'finished' WHERE state = 'sent'")
    op.execute("UPDATE waves SET started_at = created_at WHERE is_standing")


def downgrade() -> None:
    for index, table in (
        ("ix_attempts_bundle_id", "attempts"),
        ("ix_deliveries_waiting", "deliveries"),
        ("ix_deliveries_supporter", "deliveries"),
        ("ix_deliveries_wave_state", "deliveries"),
        ("ix_deliveries_wave_event", "deliveries"),
        ("ix_provider_events_waiting", "provider_events"),
        ("ix_provider_events_received_at", "provider_events"),
        ("ix_provider_events_cause", "provider_events"),
    ):
        op.drop_index(index, table)
    drop_columns(COLUMNS)
    op.execute("UPDATE waves SET state = 'stopped' WHERE state IN ('cancelled', 'paused', 'needs_attention')")
    op.execute("UPDATE waves SET state = 'sent' WHERE state = 'finished'")
    for table in ("steps", "rungs", "ladders", "bundles", "mailings", "budgets", "holidays", "alerts"):
        op.drop_table(table)
