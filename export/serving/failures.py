"""What a request can do wrong, in TF Serving's terms (imports no TensorFlow)."""

import re
from enum import Enum


class Kind(Enum):
    """(HTTP status, gRPC status code by name)."""

    INVALID = 400, "INVALID_ARGUMENT"
    NOT_FOUND = 404, "NOT_FOUND"
    METHOD = 405, "UNIMPLEMENTED"
    TOO_LARGE = 413, "RESOURCE_EXHAUSTED"
    BUSY = 503, "UNAVAILABLE"
    LATE = 504, "DEADLINE_EXCEEDED"
    INTERNAL = 500, "INTERNAL"


class Failure(Exception):  # noqa: N818 (an answer, not a defect)
    """A request that can't be answered, and one sentence why."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


NOISE = re.compile(
    r"Graph execution error:|Detected at node .*? defined at \(most recent call last\):|<stack traces unavailable>"
    r"|\[\[.*?\]\]|\[Op:.*?\]|Detected at node \S+ *",
    re.DOTALL,
)
LONGEST = 300


def told(error: Exception) -> str:
    """A TensorFlow error's own words, in one line, without where in the graph they fell."""
    return " ".join(NOISE.sub(" ", str(error)).split())[:LONGEST] or type(error).__name__
