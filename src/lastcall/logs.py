"""Logs: one JSON object a line, from this program and from the server beneath it."""

import logging
import os
import re
import select
import stat
import sys
import threading
import traceback
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO, cast

import msgspec
import structlog

LONGEST = 300
"""Characters of one field."""

PIECE = 1_024
"""Characters written at once: what is ready for anything takes a page, which is no less."""

DEEPEST = 12
"""Frames of a failure."""

UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Characters that move the cursor, end a line, turn the text around, or cannot be seen."""

SECRETS = frozenset(
    {"authorization", "code", "cookie", "digest", "password", "secret", "soajsauth", "token"}
)
"""Field names that are never printed, should one ever be logged."""

CHATTY = ("python_multipart",)
"""Libraries that complain of what clients send, byte by byte."""

SERVER = ("uvicorn", "uvicorn.error", "uvicorn.asgi")


def shown(text: str, longest: int = LONGEST) -> str:
    """Text that is safe in a terminal and in a file: every trick is spelt out, none is played."""
    if len(text) <= longest and text.isascii() and text.isprintable():
        return text
    cut = text[: longest + 1]
    cut = cut if len(cut) <= longest else cut[:longest] + "..."
    return UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", cut)


class Lossy:
    """A stream whose reader may go away or stop reading, or whose disk may fill: what it cannot
    take is dropped, and how much that was is told when it can again.

    Whether a request is answered or a signal obeyed must not hang on a line of log.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._ready = _readiness(stream)
        self._lost = 0
        self._torn = False
        self._alone = threading.RLock()  # what is thrown away meanwhile may complain in the log

    def write(self, text: str) -> int:
        with self._alone:
            if self._lost and self._put(_told(self._lost)):
                self._lost = 0
            if self._lost or not self._put(text):
                self._lost += 1
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def _put(self, line: str) -> bool:
        """Whether all of it was taken. A line that broke off is ended before the next."""
        if self._torn:
            line = f"\n{line}"
        for at in range(0, len(line), PIECE):
            try:
                if self._ready is not None and not self._ready.poll(0):
                    return False
                self._stream.write(line[at : at + PIECE])
                self._stream.flush()
            except (OSError, ValueError):
                return False
            self._torn = at + PIECE < len(line)
        return True


def _readiness(stream: TextIO) -> "select.poll | None":
    """Whether it takes something at once can be asked; None of a file, which always does."""
    try:
        number = stream.fileno()
        if stat.S_ISREG(os.fstat(number).st_mode):
            return None
    except (OSError, ValueError):
        return None
    ready = select.poll()
    ready.register(number, select.POLLOUT)
    return ready


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Send every log record of the process to `stream` (standard error unless given)."""
    out = cast("TextIO", Lossy(stream or sys.stderr))
    structlog.configure(
        processors=[structlog.processors.add_log_level, _line],
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one.formatter, Lines)]:
        root.removeHandler(old)
    handler = logging.StreamHandler(out)
    handler.setFormatter(Lines())
    root.addHandler(handler)
    root.setLevel(_number(level))
    for name in SERVER:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    access = logging.getLogger("uvicorn.access")  # prints addresses as they were asked for
    access.handlers.clear()
    access.propagate = False
    logging.captureWarnings(capture=True)


def failure(error: BaseException) -> dict[str, Any]:
    """What may be told of an exception: its kind and where, never its words or its variables."""
    frames = traceback.extract_tb(error.__traceback__)[-DEEPEST:]
    where = [f"{_module(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": type(error).__qualname__, "where": where}


def _module(path: str) -> str:
    return "/".join(path.rsplit("/", 3)[-3:])


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def _line(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> str:
    error = fields.pop("exc_info", None)
    if isinstance(error, BaseException):
        fields.update(failure(error))
    return _rendered(fields)


def _told(lost: int) -> str:
    return f"{_rendered({'level': 'warning', 'event': 'log lines were lost', 'lines': lost})}\n"


def _rendered(fields: Mapping[str, Any]) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    ordered = {"level": fields.get("level"), "event": fields.get("event"), **fields}
    safe = {
        "time": now,
        **{
            shown(str(name), 60): "[redacted]" if name in SECRETS else _safe(value)
            for name, value in ordered.items()
        },
    }
    return msgspec.json.encode(safe).decode()


def _safe(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_safe(one) for one in value[:50]]
    return shown(str(value))


class Lines(logging.Formatter):
    """The same line for records of the standard library's loggers."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "event": record.getMessage().strip(),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            fields.update(failure(error))
        return _rendered(fields)
