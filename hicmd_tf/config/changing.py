"""Which settings may be others when a run goes on, and how --change is read."""

from collections.abc import Sequence
from typing import Any

from hicmd_tf.config.loading import COMMAND_LINE
from hicmd_tf.config.settings import SETTINGS
from hicmd_tf.errors import UserError, nearest

NO_FIGURE_DEPENDS_ON = tuple(key for key, setting in SETTINGS.items() if setting.note.free)
"""Places, intervals of what is written, how many files stay, and devices, which stand with the machine: a run may go on
with others, and the configuration's hash leaves them out."""

CHANGEABLE = tuple(key for key, setting in SETTINGS.items() if setting.note.change)
"""Numbers that steps to come may be made with instead: --change KEY=VALUE, kept with its step in changes.json."""


def read_changes(given: Sequence[str]) -> dict[str, Any]:
    """Values by dotted name of KEY=VALUE texts. Raises UserError, one line, for anything that can't be changed."""
    changes: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        said = f"{COMMAND_LINE}: --change {text[:80]}"
        if not equals:
            raise UserError(f"{said}: expected KEY=VALUE, such as {CHANGEABLE[0]}=1e-5")
        if key not in SETTINGS:
            raise UserError(f"{said}: there is no setting {key}{nearest(key, CHANGEABLE)}; --help lists all settings")
        if key not in CHANGEABLE:
            raise UserError(f"{said}: {key} can't change while a run trains: {why_fixed(key)}")
        if key in changes:
            raise UserError(f"{said}: {key} is given twice: give it once")
        changes[key] = SETTINGS[key].checked(SETTINGS[key].read(value), f"{COMMAND_LINE}: --change")
    return changes


def why_fixed(key: str) -> str:
    """Why a run can't go on with another value by --change."""
    note = SETTINGS[key].note
    return "no figure depends on it: give it as an option of its own with --resume" if note.free else note.fixed
