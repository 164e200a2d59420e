"""Settings that changed while a run trained: changes.json has each with the step after which it holds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from hicmd_tf.config import Config, value_of
from hicmd_tf.config.settings import CHANGEABLE
from hicmd_tf.errors import UserError
from hicmd_tf.files import read_json

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Change(NamedTuple):
    """A setting that the steps after `step` were made with another value of."""

    step: int
    setting: str
    before: Any
    after: Any


def read_history(file: Path) -> list[Change]:
    """The changes in their order; none where there is no file. Raises UserError when it is damaged."""
    try:
        found = [Change(**one) for one in (read_json(file) if file.exists() else [])]
        if all(type(one.step) is int and one.setting in CHANGEABLE for one in found):
            return found
    except TypeError:
        pass
    raise UserError(f"{file} is not what training writes: take it from where it is whole")


def history(earlier: Sequence[Change], values: Mapping[str, Any], start: int, current: Config) -> list[Change]:
    """Earlier changes, and other values from step `start` on. Later steps are made again, with what changed in them."""
    kept = [change._replace(step=min(change.step, start)) for change in earlier]
    new = [Change(start, key, value_of(current, key), value) for key, value in values.items()]
    found: dict[tuple[int, str], Change] = {}
    for change in [*kept, *new]:
        first = found.get((change.step, change.setting), change)
        found[change.step, change.setting] = change._replace(before=first.before)
    return [change for change in found.values() if change.before != change.after]
