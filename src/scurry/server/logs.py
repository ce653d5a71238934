"""How the server logs: one line for each thing, for people or as JSON, on standard error."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SHOWN = ("application", "target", "event", "operation", "seconds")
"""what people are shown of what belongs to a line, in this order"""


class JsonLines(logging.Formatter):
    """A JSON object for each line: time, level, message, logger, and what belongs to it by name."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        document = {
            "time": _moment(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "logger": record.name,
            **{key: value for key, value in _more(record).items() if value is not None},
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document, default=str, ensure_ascii=False)


class Lines(logging.Formatter):
    """A line for people: time, level, what it is about, message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        more = _more(record)
        about = " ".join(f"{key}={more[key]}" for key in _SHOWN if more.get(key) is not None)
        text = f"{_moment(record):%Y-%m-%d %H:%M:%S} {record.levelname:<7} {record.getMessage()}"
        if about:
            text += f"  [{about}]"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def log_to_stderr(*, as_json: bool, verbose: bool) -> None:
    """Send what scurry logs to standard error, and nothing of what its libraries do below a warning."""
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(JsonLines() if as_json else Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[stream], force=True)
    logging.getLogger("scurry").setLevel(logging.DEBUG if verbose else logging.INFO)


def _more(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _moment(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)
