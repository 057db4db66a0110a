"""What is still to be removed outside the database."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Id


class Leftover(Base):
    """Something of an erased person that lies outside the database. The row goes once it is gone.

    `kind` is "mail": files of the delivery whose ref is `key`; or "recipient": what SendGrid keeps about the address
    `key`, which therefore outlives the erasure until SendGrid has taken the job.
    """

    __tablename__ = "leftovers"
    __table_args__ = (UniqueConstraint("kind", "key"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str]
    key: Mapped[str]
    asked_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
