"""Regular expressions that say what paths of pictures mean, as people give them: data.pattern, --pattern."""

import re

from hicmd_tf.errors import UserError

GROUPS = ("identity", "camera", "modality", "split")


EXPECTED = f"a regular expression with some of the named groups {', '.join(GROUPS)}, such as (?P<identity>[^/]+)"


def possible(pattern: str) -> bool:
    """Whether `compiled` takes a pattern."""
    try:
        compiled(pattern, "")
    except UserError:
        return False
    return True


def compiled(pattern: str, named: str) -> re.Pattern[str]:
    """A pattern with some of the named groups `GROUPS`. named: the option or setting it was given by, for the message.

    Raises UserError when it is no regular expression, or has none of the groups, or others.
    """
    try:
        found = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise UserError(f"{named} is {pattern!r}, no regular expression ({error}): expected {EXPECTED}") from error
    if not found.groupindex or set(found.groupindex) - set(GROUPS):
        given = f"groups {', '.join(found.groupindex)}" if found.groupindex else "no named group"
        raise UserError(f"{named} is {pattern!r} with {given}: expected {EXPECTED}")
    return found
