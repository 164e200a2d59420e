"""YAML files as flat settings that know where they stand."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from hicmd_tf.errors import UserError
from hicmd_tf.files import read_text

LONGEST_KEY = 100
LARGEST = 1 << 18  # bytes; with all its comments configs/base.yaml has less than a twentieth of it

# YAML 1.1, which PyYAML speaks, takes 1e-4 for text, 010 for eight, 1:30 for ninety and yes for true. These are the
# numbers and booleans of YAML 1.2; everything else that is plain is text.
NUMBERS_AND_BOOLEANS = {
    "null": (re.compile(r"(~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    "bool": (re.compile(r"(true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    "int": (re.compile(r"[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789")),
    "float": (
        re.compile(
            r"([-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"
        ),
        list("-+.0123456789"),
    ),
}


class Given(NamedTuple):
    """One value, and where it was written: "configs/tiny.yaml, line 12" or "command line"."""

    value: Any
    source: str


class _Loader(yaml.SafeLoader):
    """Plain YAML data in the dialect above. Without aliases: a few lines of them are a list of a billion entries."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own form)

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, f"write the value of *{event.anchor} out", event.start_mark)
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    """Quotes what either dialect would take for something else than text, and writes equal values out."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _name, (_pattern, _first_letters) in NUMBERS_AND_BOOLEANS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", _pattern, _first_letters)
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", _pattern, _first_letters)


def read_settings(path: Path) -> dict[str, Given]:
    """The settings of one file by dotted name, in the file's order.

    Raises UserError when the file can't be read, is no YAML, is empty, is no mapping or has a key twice.
    """
    text = read_text(path, "give a .yaml file of settings", LARGEST)
    name = shown(path)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            raise UserError(f"{name}: the file is empty: write settings, or at least `extends: base`")
        if not isinstance(node, yaml.MappingNode):
            raise UserError(f"{name}: expected a mapping of keys to values, as in `batch:` followed by `  pairs: 4`")
        return dict(_flatten(loader, node, name, "", {}))
    except yaml.YAMLError as error:
        raise UserError(f"{name}: this is not valid YAML{_reason(error)}") from error
    except RecursionError as error:
        raise UserError(
            f"{name}: keys or lists lie in one another without end; write settings, a section each"
        ) from error


def plain(text: str) -> Any:
    """The value that a text is in this dialect, such as 1e-4 or [16, 32]; what is no YAML is itself."""
    try:
        return _Loader(text).get_single_data()
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return text


def write_settings(tree: dict[str, Any]) -> str:
    """A nested dictionary as YAML that `read_settings` reads back to equal values."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def shown(path: Path) -> str:
    """A path as messages name it: relative to the working directory where that is shorter."""
    try:
        return str(Path(os.path.realpath(path)).relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _flatten(
    loader: _Loader,
    node: yaml.MappingNode,
    file: str,
    prefix: str,
    places: dict[str, str],
) -> Iterator[tuple[str, Given]]:
    """(dotted name, setting) of everything in a mapping, lists as one value. places: where each name stood so far."""
    for key_node, value_node in node.value:
        key = f"{prefix}{key_node.value}" if isinstance(key_node, yaml.ScalarNode) else f"{prefix}(not a name)"
        place = f"{file}, line {key_node.start_mark.line + 1}"
        if len(key) > LONGEST_KEY:
            raise UserError(f"{place}: {key[:LONGEST_KEY]}.. is longer than the name of any setting")
        if key in places:
            raise UserError(f"{place}: {key} stands here a second time, first in {places[key]}; delete one")
        places[key] = place
        if isinstance(value_node, yaml.MappingNode):
            yield from _flatten(loader, value_node, file, f"{key}.", places)
        else:
            yield key, Given(_value(loader, value_node, key, place), place)


def _value(loader: _Loader, node: yaml.Node, key: str, place: str) -> Any:
    try:
        return loader.construct_object(node, deep=True)
    except (ValueError, TypeError, LookupError, AttributeError) as error:  # PyYAML takes what a tag claims for granted
        raise UserError(f"{place}: {key} is no value ({str(error)[:80]})") from error


def _reason(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or ""
    return (f", line {mark.line + 1}" if mark else "") + f": {problem}"
