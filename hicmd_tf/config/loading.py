"""From YAML to a `Config` and back: `extends`, overrides, types.

A file gives whole settings or names another file with `extends: other.yaml` and gives what differs. The chain normally
ends in configs/base.yaml, which has every key and is the one place for defaults.
"""

import dataclasses
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from hicmd_tf.config.kinds import EMBEDDING
from hicmd_tf.config.schema import Config
from hicmd_tf.config.settings import COMMAND_LINE, SETTINGS
from hicmd_tf.config.validation import problems, value_of
from hicmd_tf.config.yaml_settings import LONGEST_KEY, Given, read_settings
from hicmd_tf.errors import UserError, nearest, some
from hicmd_tf.files import possible

EXTENDS = "extends"
BASE = "base"
DOTTED = re.compile(r"[a-z_]+(?:\.[a-z_]+)+")
MOVED = {"embedding.pad": "batch.pad"}  # settings of earlier versions that method embedding alone read
LONGEST_CHAIN = 50  # files
NAMED = 6  # missing settings that one line names


def load(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """The checked configuration of a file, with some values replaced.

    path: a YAML file, or the bare name of one in configs/ such as tiny. overrides: values by dotted name, as a command
    line gives them. Raises UserError, one line with the key and the place it stands in, for everything that is wrong.
    """
    file = find(path)
    return _checked(read_chain(file) | _given(overrides or {}, COMMAND_LINE), file)


def load_stored(file: Path) -> Config:
    """The checked configuration that `dump` wrote, now or in an earlier version: see `from_dict`."""
    return _stored(read_settings(file), file)


def from_dict(tree: Mapping[str, Any], source: Path) -> Config:
    """The checked configuration that `to_dict` made a tree of, now or in an earlier version.

    What was called otherwise then is taken by its present name. What was not a setting yet has base's value, which
    stands for what was done before there was one; a warning names it. source: the file it was stored in, for messages.
    Raises UserError as `load` does.
    """
    return _stored(_given(dict(flattened(tree)), str(source)), source)


def _given(values: Mapping[str, Any], source: str) -> dict[str, Given]:
    return {key: Given(value, source) for key, value in values.items()}


def _stored(settings: dict[str, Given], file: Path) -> Config:
    settings = _moved(settings)
    missing = {key: given for key, given in read_chain(find(BASE)).items() if key not in settings}
    if missing:
        named = some([f"{key} {given.value or repr('')}" for key, given in missing.items()], NAMED)
        warnings.warn(f"{file} is older than {named}: taken as {BASE} has it", stacklevel=1)
    return _checked(settings | missing, file)


def _moved(settings: dict[str, Given]) -> dict[str, Given]:
    """Settings of an earlier version by their present names, without what their method did not read."""
    read = "method" in settings and settings["method"].value == EMBEDDING
    renamed = {MOVED[key]: given for key, given in settings.items() if key in MOVED and read}
    return renamed | {key: given for key, given in settings.items() if key not in MOVED}


def with_data(
    config: Config, name: str | None, source: str | None, trial: int | None, pattern: str | None = None
) -> Config:
    """The configuration with another data set, folder of it, split or pattern of its paths; None leaves what is there,
    but of another data set: folder, split and pattern are a data set's own. Raises UserError."""
    given = {"data.name": name, "data.source": source, "data.trial": trial, "data.pattern": pattern}
    of_another = {} if name in (None, config.data.name) else {"data.source": "", "data.trial": 1, "data.pattern": ""}
    return with_values(config, of_another | {key: value for key, value in given.items() if value is not None})


def with_values(config: Config, values: Mapping[str, Any], source: str = COMMAND_LINE) -> Config:
    """The checked configuration with other values by dotted name. source: where they come from, for errors.

    Raises UserError as `load` does.
    """
    return _checked(_given(dict(flattened(to_dict(config))) | dict(values), source), Path(source))


def flattened(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of everything in a nested mapping."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _checked(settings: Mapping[str, Given], file: Path) -> Config:
    for key, (_, source) in settings.items():
        if key in SETTINGS:
            continue
        if any(known.startswith(f"{key}.") for known in SETTINGS):
            raise UserError(f"{source}: {key} is a section: expected its settings below it; --help lists them")
        if key in MOVED:
            raise UserError(f"{source}: {key} is called {MOVED[key]} now: rename it")
        short, known = key[:LONGEST_KEY], SETTINGS if source == COMMAND_LINE else (EXTENDS, *SETTINGS)
        raise UserError(f"{source}: there is no setting {short}{nearest(short, known)}; --help lists all settings")
    missing = [key for key in SETTINGS if key not in settings]
    if missing:
        raise UserError(f"{file}: {some(missing, 1)} missing; add `{EXTENDS}: {BASE}` to start from the defaults")

    def given_late(key: str) -> int:
        """0 of what the user typed, 1 of what stands in the file that the user named, 2 of what that extends."""
        source = settings[key].source
        return 0 if source == COMMAND_LINE else 1 if source.startswith(f"{file},") else 2

    config: Config = _build(Config, {key: SETTINGS[key].checked(*given) for key, given in settings.items()})
    for key, advice in problems(config):
        value, source = value_of(config, key), settings[key].source
        blamed = min([key, *(name for name in DOTTED.findall(advice) if name in settings)], key=given_late)
        if given_late(blamed) < given_late(key):
            given = f"{settings[blamed].source}: {blamed} {value_of(config, blamed)}"
            raise UserError(f"{given} does not go with {key}, which is {value} ({source}): {advice}")
        raise UserError(f"{source}: {key} is {value}: {advice}")
    return config


def to_dict(config: Config) -> dict[str, Any]:
    """A configuration as nested dictionaries, lists, numbers and text."""
    return dataclasses.asdict(config)


def dump(config: Config) -> str:
    """A whole configuration as YAML that `load` accepts as it is."""
    return yaml.safe_dump(to_dict(config), sort_keys=False, allow_unicode=True)


def find(path: str | Path, folder: Path | None = None) -> Path:
    """The file that a path or a bare name means. A bare name (tiny) is a file of configs/; other paths are relative to
    `folder`, by default the working directory."""
    if not possible(path):
        raise UserError(f"{str(path)[:60]!r} can't be the name of a file: give a .yaml file of settings")
    path = Path(path)
    names = sorted(file.stem for file in configs_folder().glob("*.yaml"))
    if str(path) in names:
        return configs_folder() / f"{path}.yaml"
    file = Path(os.path.normpath((folder or Path()) / path))  # as messages name it
    if str(path) == f"{path.stem}.yaml" and path.stem in names and not file.exists():
        raise UserError(f"there is no file {file}: {path.stem}, without .yaml, is the one in configs/")
    if path.suffix or len(path.parts) != 1 or file.exists():
        return file
    own = Path(f"{file}.yaml")
    if own.exists():
        raise UserError(f"there is no configuration {path.name} in configs/: for your file {own} write {own.name}")
    choices = f"{nearest(path.name, names)}: give a .yaml file or one of {', '.join(names)}"
    raise UserError(f"there is no configuration {path.name}{choices}")


def configs_folder() -> Path:
    """configs/: inside the package where that was installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def read_chain(path: Path, files: int = 1) -> dict[str, Given]:
    """The settings of a file over those of the files it extends. Raises UserError when they extend one another without
    end."""
    if files > LONGEST_CHAIN:
        raise UserError(
            f"{path}: {LONGEST_CHAIN} files extend one another, or go in a circle; name the last one at once"
        )
    settings = read_settings(path)
    parent = settings.pop(EXTENDS, None)
    if parent is None:
        return settings
    if not isinstance(parent.value, str) or not parent.value:
        raise UserError(f"{parent.source}: {EXTENDS} is {parent.value}: expected the name of one .yaml file")
    try:
        file = find(parent.value, path.parent)
    except UserError as error:
        raise UserError(f"{parent.source}: {EXTENDS} is {parent.value}: {error}") from error
    return read_chain(file, files + 1) | settings


def _build(kind: Any, values: Mapping[str, Any], prefix: str = "") -> Any:
    """The dataclass whose settings have the given dotted names."""
    return kind(
        **{
            name: _build(inner, values, f"{prefix}{name}.")
            if dataclasses.is_dataclass(inner)
            else values[f"{prefix}{name}"]
            for name, inner in get_type_hints(kind).items()
        }
    )
