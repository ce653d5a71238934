"""When scheduled snapshots are taken: a cron line, checked. No clock.

The library reads it (`cronsim`, which follows Debian's cron); here its complaints get words.
"""

from __future__ import annotations

from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

_FIELDS = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31",
    "month": "1 to 12",
    "day-of-week": "0 to 7",
}
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}


def parse_schedule(text: str) -> str:
    """Read a cron line (`0 * * * *`, `30 4 * * mon-fri`, `@daily`) and return its five fields.

    Raises `ValueError` that names the field which is wrong.
    """
    line = _MACROS.get(text.strip().lower(), text)
    fields = line.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"'{text}' is not a cron schedule: it has {len(fields)} of 5 fields "
            "(minute, hour, day of month, month, day of week)"
        )
    try:
        CronSim(line, _ANY_DAY)
    except CronSimError as error:
        raise ValueError(_told(str(error), fields)) from error
    return line


def _told(complaint: str, fields: list[str]) -> str:
    name = complaint.removeprefix("Bad ")
    wrong = dict(zip(_FIELDS, fields, strict=True))[name]
    return f"'{wrong}' is not a {name.replace('-', ' ')} of a cron schedule ({_FIELDS[name]})"
