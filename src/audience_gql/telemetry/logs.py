"""Writes the log of a process: one line per message as JSON or as text, always without values that clients have sent.

All messages come through the standard library's logging, whether they are ours, the server's or the job queue's.
"""

from __future__ import annotations

import copy
import logging
import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO, TypeAlias

from audience_gql.telemetry import failures
from audience_gql.telemetry.ids import known_ids

if TYPE_CHECKING:
    from collections.abc import MutableMapping

Format: TypeAlias = Literal["text", "json"]

_OURS: Final = "audience_gql"
_LINE: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"

logger = logging.getLogger(__name__)


def write_logs(format_: Format, level: str, stream: TextIO | None = None) -> None:
    """Write the messages of this process from now on, to standard error by default. It can be called again."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_json() if format_ == "json" else _Text(_LINE))
    handler.addFilter(_is_wanted)
    root = logging.getLogger()
    for former in root.handlers[:]:
        if isinstance(former, logging.StreamHandler) and type(former.formatter).__module__ == __name__:
            root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(level)
    sys.excepthook = _crashed
    threading.excepthook = _thread_crashed
    sys.unraisablehook = _unraisable
    logger.debug("the log begins")


def _is_wanted(record: logging.LogRecord) -> bool:
    """Whether to write a message. At level DEBUG, libraries write SQL with its values, and what arrives on sockets."""
    return record.levelno >= logging.INFO or record.name.split(".", 1)[0] == _OURS


def _safe(record: logging.LogRecord) -> logging.LogRecord:
    """The message with descriptions instead of exceptions."""
    safe = copy.copy(record)
    safe.exc_text = None  # another handler may have kept the whole traceback here
    if isinstance(record.msg, BaseException):
        safe.msg = failures.described(record.msg).replace("%", "%%")
    if isinstance(record.args, tuple):
        safe.args = tuple(
            failures.described(it) if isinstance(it, BaseException) else it for it in record.args
        )
    if (
        record.name == "asyncio"
    ):  # further lines, and what follows a callback's name, show tasks and arguments
        safe.msg = record.getMessage().split("\n", 1)[0].split(" <", 1)[0].split("(", 1)[0].replace("%", "%%")
        safe.args = ()
    return safe


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        safe = _safe(record)
        if ids := known_ids():
            safe.msg = f"{safe.getMessage()} [{' '.join(f'{name}={id_}' for name, id_ in ids.items())}]"
            safe.args = ()
        return super().format(safe)

    def formatException(  # noqa: N802  # the library's name
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        return "" if ei[1] is None else failures.as_text(ei[1])


def _json() -> logging.Formatter:
    import orjson  # noqa: PLC0415  # the command line must start fast, and most commands write no log
    import structlog  # noqa: PLC0415  # the same

    def add_ids(
        _: object, __: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:  # Any: the library's own
        event.update(known_ids())
        return event

    def written(event: MutableMapping[str, Any], **_: object) -> str:  # Any: the library's own
        return orjson.dumps(event, default=lambda it: type(it).__name__).decode()

    class Json(structlog.stdlib.ProcessorFormatter):
        def format(self, record: logging.LogRecord) -> str:
            return super().format(_safe(record))

    Json.__module__ = __name__
    return Json(
        foreign_pre_chain=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            add_ids,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.ExceptionRenderer(failures.as_data),
            structlog.processors.JSONRenderer(serializer=written),
        ],
    )


def _crashed(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    if isinstance(error, KeyboardInterrupt):
        logger.info("interrupted")
    else:
        logger.critical("the process ends by a bug", exc_info=error)


def _thread_crashed(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is not None and not isinstance(given.exc_value, SystemExit):
        logger.critical("a thread ends by a bug", exc_info=given.exc_value)


def _unraisable(given: sys.UnraisableHookArgs) -> None:
    logger.error("an exception that nobody can catch", exc_info=given.exc_value)
