"""Writing the mails of one round, and deciding where the round ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from outreach.domain.messages import Message
from outreach.faultpoints import reached

from .parcels import CannotWrite, Parcel

log = structlog.get_logger()


@dataclass(slots=True)
class Round:
    """Mails by delivery; parcels that cannot be written, with the reason; parcels for the next rounds."""

    mails: dict[int, Message] = field(default_factory=dict)
    unwritten: list[tuple[Parcel, CannotWrite]] = field(default_factory=list)
    rest: Sequence[Parcel] = ()


def write_round(parcels: Sequence[Parcel], now: datetime, *, width: int, largest: int) -> Round:
    """Write the first of `parcels`: `width` mails that go by themselves, and straight ones up to one full request.

    `largest` is how many straight mails a request may carry; where that is 1, they go by themselves too.
    """
    round_ = Round(rest=parcels if not width else ())
    alone = 0
    for place, parcel in enumerate(parcels if width else ()):
        if alone == width or len(round_.mails) == max(width, largest):
            round_.rest = parcels[place:]
            break
        try:
            message = round_.mails[parcel.delivery_id] = parcel.write(now)
            reached("during_render")
        except CannotWrite as error:
            round_.unwritten.append((parcel, error))
        except Exception as error:
            # One row nobody foresaw must not keep the others from leaving.
            log.error("cannot_write", delivery=parcel.delivery_id, error=type(error).__name__)
            round_.unwritten.append((parcel, CannotWrite(f"writing it failed: {type(error).__name__}")))
        else:
            alone += message.straight is None or largest == 1
    return round_
