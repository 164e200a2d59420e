"""From YAML to a `Config` and back: `extends`, overrides, types.

A file gives whole settings or names another file with `extends: other.yaml` and gives what differs. The chain normally
ends in configs/base.yaml, which has every key and is the one place for defaults.
"""

import dataclasses
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from hicmd_tf import __version__
from hicmd_tf.config.schema import Config
from hicmd_tf.config.settings import SETTINGS, brief
from hicmd_tf.config.validation import problems
from hicmd_tf.config.yaml_settings import Given, read_settings, shown, write_settings
from hicmd_tf.errors import UserError, nearest
from hicmd_tf.files import possible

COMMAND_LINE = "command line"
EXTENDS = "extends"
BASE = "base"
LONGEST_CHAIN = 50  # files
NAMED = 6  # missing settings that one line names


def load(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """The checked configuration of a file, with some values replaced.

    path: a YAML file, or the bare name of one in configs/ such as tiny. overrides: values by dotted name, as a command
    line gives them. Raises UserError, one line with the key and the place it stands in, for everything that is wrong.
    """
    file = find(path)
    settings = read_chain(file)
    settings |= {key: Given(value, COMMAND_LINE) for key, value in (overrides or {}).items()}
    return _checked(settings, file)


def load_stored(file: Path, version: str | None = None) -> Config:
    """The checked configuration that `dump` wrote, now or by an earlier version: see `from_dict`. version: of hicmd_tf
    that stored it, where known, for messages."""
    return _stored(read_settings(file), file, version)


def from_dict(tree: Mapping[str, Any], source: Path) -> Config:
    """The checked configuration that `to_dict` made a tree of, now or in an earlier version.

    What was not a setting yet has base's value, which stands for what was done before there was one; a warning names
    it. source: the file it was stored in, for messages. Raises UserError for a setting that this version does not know,
    otherwise as `load` does.
    """
    return _stored({key: Given(value, shown(source)) for key, value in flattened(tree)}, source, None)


def _stored(settings: dict[str, Given], file: Path, version: str | None) -> Config:
    for key, setting in settings.items():
        if key not in SETTINGS:
            raise UserError(
                f"{setting.source}: there is no setting {key}{nearest(key, SETTINGS)} in hicmd_tf {__version__}; the "
                f"file is of {f'hicmd_tf {version}' if version else 'another version'}: use that one, or take the line "
                f"out"
            )
    missing = {key: setting for key, setting in read_chain(find(BASE)).items() if key not in settings}
    if missing:
        named = ", ".join(
            f"{key} {setting.value or repr(setting.value)}" for key, setting in [*missing.items()][:NAMED]
        )
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        warnings.warn(f"{shown(file)} is older than {named}{more}: taken as {BASE} has it", stacklevel=1)
    return _checked(settings | missing, file)


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
    settings = dict(flattened(to_dict(config))) | dict(values)
    return _checked({key: Given(value, source) for key, value in settings.items()}, Path(source))


def flattened(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of everything in a nested mapping."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _checked(settings: Mapping[str, Given], file: Path) -> Config:
    for key, setting in settings.items():
        _refuse_unknown(key, setting.source)
    _refuse_missing(settings, file)
    values = {key: SETTINGS[key].checked(*given) for key, given in settings.items()}
    config: Config = _build(Config, values)
    for problem in problems(config):
        raise UserError(f"{settings[problem.key].source}: {problem}")
    return config


def to_dict(config: Config) -> dict[str, Any]:
    """A configuration as nested dictionaries, lists, numbers and text."""
    return dataclasses.asdict(config)


def dump(config: Config) -> str:
    """A whole configuration as YAML that `load` accepts as it is."""
    return write_settings(to_dict(config))


def find(path: str | Path, folder: Path | None = None) -> Path:
    """The file that a path or a bare name means. A bare name (tiny) is a file of configs/; other paths are relative to
    `folder`, by default the working directory."""
    if not possible(path):
        raise UserError(f"{str(path)[:60]!r} can't be the name of a file: give a .yaml file of settings")
    path = Path(path)
    names = sorted(file.stem for file in configs_folder().glob("*.yaml"))
    if str(path) not in names:
        file = (folder or Path()) / path
        if path.suffix or len(path.parts) != 1 or file.exists():
            return file
        choices = f"{nearest(path.name, names)}: give a .yaml file or one of {', '.join(names)}"
        raise UserError(f"there is no configuration {path.name}{choices}")
    return configs_folder() / f"{path.name}.yaml"


def configs_folder() -> Path:
    """configs/: inside the package where that was installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def read_chain(path: Path, below: tuple[Path, ...] = ()) -> dict[str, Given]:
    """The settings of a file over those of the files it extends. Raises UserError when files extend in a circle, or
    without end."""
    here = Path(os.path.realpath(path))
    if here in below:
        circle = " -> ".join(shown(file) for file in (*below, path))
        raise UserError(f"{EXTENDS}: {circle} goes in a circle; take one {EXTENDS} out")
    if len(below) == LONGEST_CHAIN:
        raise UserError(f"{shown(path)}: {len(below)} files stand in one chain of {EXTENDS}; name the last one at once")
    settings = read_settings(path)
    parent = settings.pop(EXTENDS, None)
    if parent is None:
        return settings
    if not isinstance(parent.value, str) or not parent.value:
        raise UserError(f"{parent.source}: {EXTENDS} is {brief(parent.value)}: expected the name of one .yaml file")
    return read_chain(find(parent.value, path.parent), (*below, here)) | settings


def _refuse_unknown(key: str, source: str) -> None:
    if key in SETTINGS:
        return
    if any(known.startswith(f"{key}.") for known in SETTINGS):
        raise UserError(f"{source}: {key} is a section: expected its settings below it; --help lists them")
    raise UserError(f"{source}: there is no setting {key}{nearest(key, SETTINGS)}; --help lists all settings")


def _refuse_missing(settings: Mapping[str, Given], path: Path) -> None:
    missing = [key for key in SETTINGS if key not in settings]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UserError(
            f"{shown(path)}: {missing[0]}{more} missing; add `{EXTENDS}: {BASE}` to start from the defaults"
        )


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
