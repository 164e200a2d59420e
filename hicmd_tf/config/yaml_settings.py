"""YAML files as flat settings that know where they stand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from hicmd_tf.errors import UserError
from hicmd_tf.files import read_text

LONGEST_KEY = 80
LARGEST = 1 << 18  # bytes; with all its comments configs/base.yaml has less than a twentieth of it


class Given(NamedTuple):
    """One value, and where it was written: "configs/tiny.yaml, line 12" or "command line".

    Of a file it is a text, or a list of texts, whatever YAML takes it for: 1e-4, 010 and yes are what the setting's
    kind reads them as.
    """

    value: Any
    source: str


def read_settings(path: Path) -> dict[str, Given]:
    """The settings of one file by dotted name, in the file's order.

    Raises UserError when the file can't be read, is no YAML, is empty, is no mapping or has a key twice.
    """
    text = read_text(path, "give a .yaml file of settings", LARGEST)
    try:
        loader = yaml.BaseLoader(text)
        node = loader.get_single_node()
        if node is None:
            raise UserError(f"{path}: the file is empty: write settings, or at least `extends: base`")
        if not isinstance(node, yaml.MappingNode):
            raise UserError(f"{path}: expected a mapping of keys to values, as in `batch:` followed by `  pairs: 4`")
        return dict(_flattened(loader, node, path, "", {}))
    except yaml.YAMLError as error:
        mark, problem = (
            getattr(error, "problem_mark", None),
            getattr(error, "problem", None) or " ".join(str(error).split())[:80],
        )
        line = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}: this is not valid YAML{line}: {problem}") from error
    except RecursionError as error:
        raise UserError(f"{path}: keys or lists lie in one another without end; write a section each") from error


def _flattened(
    loader: yaml.BaseLoader, node: yaml.MappingNode, file: Path, prefix: str, places: dict[str, str]
) -> Iterator[tuple[str, Given]]:
    """(dotted name, setting) of everything in a mapping, lists as one value. places: where each name stood so far."""
    for key_node, value_node in node.value:
        key, place = f"{prefix}{key_node.value}", f"{file}, line {key_node.start_mark.line + 1}"
        if key in places:
            raise UserError(
                f"{place}: {key[:LONGEST_KEY]} stands here a second time, first in {places[key]}; delete one"
            )
        places[key] = place
        if value_node.value in ("null", "~") and value_node.style is None:
            raise UserError(f"{place}: {key[:LONGEST_KEY]} is {value_node.value}: give a value, or leave the line out")
        if isinstance(value_node, yaml.MappingNode):
            yield from _flattened(loader, value_node, file, f"{key}.", places)
        else:
            yield key, Given(loader.construct_object(value_node, deep=True), place)
