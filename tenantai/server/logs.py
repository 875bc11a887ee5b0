"""How the server's logs look: console lines on a terminal, else JSON, all on stderr; the last of them stay in memory, too.

What must stay true: no line holds an API key, whoever logged it; a line is written whole, and what is cut out of a line of JSON
leaves JSON, whatever stands there.
"""

import asyncio
import logging
import re
import sys
from contextlib import suppress
from json.encoder import encode_basestring_ascii
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from tenantai.identifiers import timestamp
from tenantai.server.log_ring import log_ring

SECRET = re.compile(
    r"(sk_(?:live|test)_\w{4})\w{6,}|(AIza)[\w-]{20,}|((?:api[_-]?key|password|secret|token)=)(?:\\.|[^&\s\"'\\])+",
    re.IGNORECASE,
)

FLUSH_SECONDS = 0.05
LINES_WAITING_MAX = 512
SUSPECTS = ("sk_", "AIza", "=")  # looked for first: the expression takes 1.5 µs a line

_quoted = encode_basestring_ascii


def configure_logs(level: str, log_format: Literal["auto", "console", "json"], *, stream: TextIO | None = None) -> None:
    """Send structlog's lines and those of the standard library to `stream` (stderr), in one form."""
    to = stream or sys.stderr
    is_console = log_format == "console" or (log_format == "auto" and to.isatty())
    least = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if is_console else "iso", utc=not is_console),
    ]
    rendering = _rendering(is_console=is_console, colours=is_console and to.isatty())
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Lossy(to))),
        cache_logger_on_first_use=False,
    )
    access_log.configure(None if is_console or least > logging.INFO else to)
    _take_over_standard_logging(to, least, shared, rendering)


class _Lossy:
    """A stream that drops what can't be written, as where logs go to a disk that is full: what logs goes on."""

    def __init__(self, to: TextIO) -> None:
        self._to = to

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # ValueError: the stream was closed
            self._to.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._to.flush()


class AccessLog:
    """Writes a line for each request: in JSON by itself, a few lines at a time, else through structlog.

    A line waits `FLUSH_SECONDS` at most, and no longer than its application runs. A log that can't be written fails no request.
    """

    def __init__(self) -> None:
        self._to: TextIO | None = None
        self._waiting: list[str] = []

    def configure(self, to: TextIO | None) -> None:
        """Write JSON to a stream from now on, or, for None, hand lines to structlog."""
        self.flush()
        self._to = to

    def write(
        self,
        *,
        status: int,
        method: str = "-",
        path: str = "-",
        seconds: float = 0,
        request_id: str = "",
        tenant_id: str | None = None,
    ) -> None:
        """Write one line; call it on the event loop. The ids are ours, or hold nothing that JSON would escape."""
        if self._to is None:
            structlog.get_logger("tenantai.http").info(
                "request",
                method=method,
                path=path,
                status=status,
                ms=round(seconds * 1000, 2),
                request_id=request_id,
                tenant_id=tenant_id,
            )
            return
        tenant = f'"{tenant_id}"' if tenant_id else "null"
        line = (
            f'{{"method": {_quoted(method)}, "path": {_quoted(path)}, "status": {status}, "ms": {seconds * 1000:.2f}, '
            f'"request_id": "{request_id}", "tenant_id": {tenant}, '
            f'"level": "info", "timestamp": "{timestamp()}", "message": "request"}}'
        )
        self._waiting.append(line)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
        elif len(self._waiting) >= LINES_WAITING_MAX:
            self.flush()

    def flush(self) -> None:
        """Write the lines that wait."""
        lines, self._waiting = self._waiting, []
        if lines and self._to is not None:
            text = "\n".join(lines)
            if any(sign in text for sign in SUSPECTS):
                text = SECRET.sub(r"\1\2\3…", text)
                lines = text.split("\n")
            log_ring.keep(lines)
            to = _Lossy(self._to)
            to.write(f"{text}\n")
            to.flush()


access_log = AccessLog()


def _rendering(*, is_console: bool, colours: bool) -> list[Processor]:
    if is_console:
        plain = structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)
        return [_kept_as_json, plain, _without_secrets]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(default=str),
        _without_secrets,
        _kept,
    ]


def _take_over_standard_logging(to: TextIO, least: int, shared: list[Processor], rendering: list[Processor]) -> None:
    """Give the lines of libraries the same form; theirs below a warning stay away."""
    handler = logging.StreamHandler(cast("TextIO", _Lossy(to)))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(least, logging.WARNING))
    logging.captureWarnings(True)


def _without_secrets(_logger: WrappedLogger, _name: str, line: EventDict | str) -> Any:
    """Cut keys and passwords out of a finished line."""
    return SECRET.sub(r"\1\2\3…", str(line))


def _kept(_logger: WrappedLogger, _name: str, line: EventDict | str) -> Any:
    """Keep a finished line of JSON in memory."""
    log_ring.keep([str(line)])
    return line


def _kept_as_json(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    """Keep in memory what will be a line for a terminal."""
    line: Any = {**event, "timestamp": timestamp()}
    for process in _rendering(is_console=False, colours=False):
        line = process(logger, name, line)
    return event
