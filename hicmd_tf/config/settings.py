"""The table of all settings: by dotted name the kind and the note of each, made of the schema."""

import reprlib
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from hicmd_tf.config.kinds import NOTE, DataName, Note
from hicmd_tf.config.schema import Config
from hicmd_tf.config.yaml_settings import plain
from hicmd_tf.errors import UserError

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
        """What configs/base.yaml says of it: its note, and choices after the note's first words."""
        if get_origin(self.kind) is not Literal and self.kind != DataName:
            return str(self.note)
        words, *more = self.note.meaning.split("; ", 1)
        return str(replace(self.note, meaning="; ".join([f"{words}: {self.expected}", *more])))

    def checked(self, value: Any, source: str) -> Any:
        """The value as the setting has it: a whole number may stand for a float, nothing else for anything else.

        Raises UserError, which names the place that the value comes from, when it is of another type or out of range.
        """
        try:
            return _adapter(self.kind).validate_python(value)
        except ValidationError as error:
            raise UserError(f"{source}: {self.key} is {brief(value)}: expected {self.expected}") from error

    def read(self, text: str) -> Any:
        """The value that a command line's text means; unchecked."""
        base = get_args(self.kind)[0] if get_origin(self.kind) is Annotated else str
        return text if base is str else plain(text)


def brief(value: Any) -> str:
    """A value as Python writes it, shortened where it is long: a message is one line."""
    return SHORT.repr(value)


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
        inherited = replace(found, fixed=found.fixed or section.fixed, of=found.of or section.of)
        if is_dataclass(hints[one.name]):
            yield from _settings(hints[one.name], f"{prefix}{one.name}.", inherited)
        else:
            yield Setting(f"{prefix}{one.name}", hints[one.name], inherited)


SETTINGS: dict[str, Setting] = {setting.key: setting for setting in _settings(Config, "", Note())}
"""Every setting by dotted name, in the order of configs/base.yaml."""
