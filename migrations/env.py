"""Runs the numbered steps in `versions/`. Started by `outreach.migrating`; the connection comes from there."""

from alembic import context
from sqlalchemy import Connection

from outreach.models import Base


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,  # SQLite changes a table by making it anew
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


_run(context.config.attributes["connection"])
