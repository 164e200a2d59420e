"""The table of all settings, made of the schema: by dotted name the kind and the note of each; and which may change
while a run trains."""

import reprlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from hicmd_tf.config.kinds import NOTE, DataName, Note
from hicmd_tf.config.schema import Config
from hicmd_tf.errors import UserError, nearest

COMMAND_LINE = "command line"
SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = 80

_adapter = cache(TypeAdapter)


@dataclass(frozen=True)
class Setting:
    """One setting. kind: its annotated type. note: its own, with its section's `fixed` and `of` where it has none."""

    key: str
    kind: Any
    note: Note

    @property
    def expected(self) -> str:
        """The kind in words."""
        *but_last, last = get_args(self.kind)
        if get_origin(self.kind) is Literal:
            return f"{', '.join(but_last)} or {last}"
        return str(last)  # of the annotations: the words

    @property
    def comment(self) -> str:
        """The setting's comment in configs/base.yaml: its note, with the choices after the note's first words."""
        if get_origin(self.kind) is not Literal and self.kind != DataName:
            return str(self.note)
        words, *more = self.note.meaning.split("; ", 1)
        return str(replace(self.note, meaning="; ".join([f"{words}: {self.expected}", *more])))

    def checked(self, value: Any, source: str) -> Any:
        """The value as the setting has it. Texts, as files and command lines have them, are read; a whole number may
        stand for a float, nothing else for anything else.

        Raises UserError, which names the place that the value comes from, when it is of another type or out of range.
        """
        try:
            return _adapter(self.kind).validate_python(value, strict=not isinstance(value, str | list))
        except (ValidationError, OverflowError) as error:
            raise UserError(f"{source}: {self.key} is {SHORT.repr(value)}: expected {self.expected}") from error


def notes(kind: Any = Config, prefix: str = "") -> Iterator[tuple[str, Note]]:
    """(dotted name, note) of every section and setting, a section before what is in it."""
    hints = get_type_hints(kind)
    for one in fields(kind):
        yield f"{prefix}{one.name}", one.metadata[NOTE]
        if is_dataclass(hints[one.name]):
            yield from notes(hints[one.name], f"{prefix}{one.name}.")


def _settings(kind: Any, prefix: str, section: Note) -> Iterator[Setting]:
    hints = get_type_hints(kind, include_extras=True)
    for one in fields(kind):
        found: Note = one.metadata[NOTE]
        inherited = replace(
            found, fixed=found.fixed or section.fixed, of=found.of or section.of, method=found.method or section.method
        )
        if is_dataclass(hints[one.name]):
            yield from _settings(hints[one.name], f"{prefix}{one.name}.", inherited)
        else:
            yield Setting(f"{prefix}{one.name}", hints[one.name], inherited)


SETTINGS: dict[str, Setting] = {setting.key: setting for setting in _settings(Config, "", Note())}
"""Every setting by dotted name, in the order of configs/base.yaml."""

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
        changes[key] = SETTINGS[key].checked(value, f"{COMMAND_LINE}: --change")
    return changes


def why_fixed(key: str) -> str:
    """Why a run can't go on with another value by --change."""
    note = SETTINGS[key].note
    return "no figure depends on it: give it as an option of its own with --resume" if note.free else note.fixed
