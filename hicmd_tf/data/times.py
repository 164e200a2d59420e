"""Moments as tables, paths and command lines write them, in seconds since 1970.

>>> moment("1970-01-01T00:01:30+00:00"), moment("90.5")
(90.0, 90.5)
>>> moment("2026-11-05T08-30-12") == moment("20261105T083012") == moment("2026-11-05 08:30:12")
True
"""

import re
from datetime import datetime

NUMBER = re.compile(r"(?!\d{8}$)\d{1,11}(\.\d+)?", re.ASCII)
"""Seconds; eight digits are a day, and twelve and more would be after the year 5000: a day and a time run together."""
IN_A_NAME = re.compile(r"(\d{4}-?\d\d-?\d\d)[T_ -](\d\d)[-_.]?(\d\d)(?:[-_.]?(\d\d))?", re.ASCII)
"""A day and a time without colons, which files' names can't have everywhere."""
EXPECTED = "expected a time such as 2026-11-05T08:30:12 (ISO 8601), or seconds since 1970"


def moment(text: str) -> float:
    """Seconds since 1970 of a time by ISO 8601, in this machine's zone where it names none, or of a number, which is
    seconds already. Raises ValueError for anything else."""
    if NUMBER.fullmatch(text):
        return float(text)
    named = IN_A_NAME.fullmatch(text)
    try:
        return datetime.fromisoformat(
            f"{named[1]}T{named[2]}:{named[3]}:{named[4] or '00'}" if named else text
        ).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"{text[:40]!r}: {EXPECTED}") from error


def shown(time: float, to: str = "seconds") -> str:
    """A moment as people read it, in this machine's zone. to: the last part, seconds or minutes."""
    return datetime.fromtimestamp(time).isoformat(" ", to)
