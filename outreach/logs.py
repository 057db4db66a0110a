"""What every process writes about itself: one line per happening, with ids and never with addresses or text.

Lines for people on a terminal, JSON everywhere else. Whatever a library or an error message lets slip, a last net
takes out: keys, passwords in addresses, and mail addresses.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

#: Libraries whose ordinary lines show addresses, headers or nothing worth keeping.
QUIET = (
    *("python_http_client", "urllib3", "httpx", "httpcore", "kombu", "amqp", "asyncio", "alembic.runtime"),
    *("celery.worker.strategy", "celery.app.trace", "celery.beat"),  # a line or two for every ring
)

_NETS = (
    (re.compile(r"SG\.[\w-]{6,}(\.[\w-]+)?"), "SG.[key]"),
    (re.compile(r"(\w://)[^\s/@]*@"), r"\1[login]@"),
    (re.compile(r"[^\s@<>\"'(),:;=\[\]]+@[\w-]+(\.[\w-]+)+"), "[address]"),
)


def redact(text: str) -> str:
    """The text without provider keys, logins in addresses, and mail addresses."""
    for pattern, instead in _NETS:
        text = pattern.sub(instead, text)
    return text


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redacted(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(inner) for inner in value]
    return value if value is None or isinstance(value, bool | int | float) else redact(str(value))


def _last_net(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: value if key.startswith("_") else _redacted(value) for key, value in event.items()}


def set_up(*, level: int = logging.INFO, process: str = "") -> None:
    """Configure structlog and the standard library's logging to write to stderr. May be called again."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    if process:
        structlog.contextvars.bind_contextvars(process=process)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _last_net, _renderer()],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        # Above DEBUG whatever the level: python_http_client prints the Authorization header there.
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderer() -> Processor:
    if sys.stderr.isatty():
        return structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback)
    return structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=False)
