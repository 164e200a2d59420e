"""The command line of every program that takes a configuration: --config, and every setting by its dotted name."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import docstring_parser
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from hicmd_tf.config.loading import (
    BASE,
    COMMAND_LINE,
    KEYS,
    expectation,
    find,
    load,
    read_chain,
    with_values,
)
from hicmd_tf.config.schema import Config
from hicmd_tf.config.validation import refuse_sourceless, refuse_unread
from hicmd_tf.errors import UserError, nearest
from hicmd_tf.files import possible


def parse(
    program: str,
    description: str,
    arguments: Sequence[str] | None,
    extra: Callable[[ArgumentParser], None] | None = None,
    short: Mapping[str, str] | None = None,
    stored: Callable[[Path], Config] | None = None,
) -> tuple[Config, Namespace]:
    """The configuration that a command line asks for, and all its options.

    program: what is typed to call it. arguments: without the program; None: those of this process. extra: adds
    the command's own options. short: further names of settings, by that name. stored: opens the configuration of a run
    folder, which --run then names instead of --config. Raises UserError for a mistake, and for
    a data set whose folder is not named, for all these programs read one; --help prints every option and exits.
    """
    parser = _parser(program, description)
    if extra is not None:
        extra(parser)
    if stored is not None:
        parser.add_argument("--run", metavar="DIR", type=Path, help="run folder whose settings hold, not --config")
    names = {**dict(zip(KEYS, KEYS, strict=True)), **(short or {})}
    for name, key in (short or {}).items():
        parser.add_argument(f"--{name}", type=KEYS[key], metavar="N", help=f"the same as --{key}")
    try:
        given = parser.parse_args(arguments, defaults=False)  # without defaults: what was typed, and so overrides
        options = parser.parse_args(arguments)
    except ArgumentError as error:
        raise UserError(f"{COMMAND_LINE}: {_one_line(str(error), parser)}") from error
    for name, key in (short or {}).items():
        if name in given and key in given and given[name] != given[key]:
            raise UserError(
                f"{COMMAND_LINE}: --{name} {given[name]} and --{key} {given[key]} are one setting: give one of them"
            )
    for name, value in options.items():
        if isinstance(value, str | Path) and not possible(value):
            raise UserError(
                f"{COMMAND_LINE}: --{name} is {str(value)[:60]!r}, which can't be the name of a file or folder"
            )
    overrides = {key: given[name] for name, key in names.items() if name in given}
    if stored is not None and options.run is not None:
        if "config" in given:
            raise UserError("give either --config or --run: whose settings hold")
        config = with_values(stored(options.run), overrides)
    else:
        config = load(options.config, overrides)
    refuse_sourceless(config.data)
    refuse_unread(config, (key for name, key in names.items() if name in given))
    return config, options


def _parser(program: str, description: str) -> ArgumentParser:
    parser = ArgumentParser(
        prog=program,
        usage="%(prog)s [options]",
        description=f"{description.strip()} Defaults are those of configs/{BASE}.yaml.",
        exit_on_error=False,
        allow_abbrev=False,
        print_config=None,
    )
    parser.add_argument(
        "--config",
        default=BASE,
        metavar="FILE",
        help="YAML file of settings, or the bare name of one in configs/",
    )
    defaults = read_chain(find(BASE))
    groups: dict[str, Any] = {}
    for key, meaning in _meanings():
        section = key.rpartition(".")[0]
        if section not in groups:
            groups[section] = parser.add_argument_group(section or "run")
        groups[section].add_argument(
            f"--{key}",
            type=KEYS[key],
            default=defaults[key].value,
            help=meaning.replace("%", "%%"),
        )
    return parser


def _meanings(kind: Any = Config, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(dotted name, meaning) of every setting: the text below its field in schema.py."""
    texts = {field.arg_name: field.description or "" for field in docstring_parser.parse_from_object(kind).params}
    for name, inner in get_type_hints(kind).items():
        if is_dataclass(inner):
            yield from _meanings(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", " ".join(texts.get(name, "").split())


def _one_line(message: str, parser: ArgumentParser) -> str:
    """jsonargparse's complaint in the words of `load`."""
    wrong_type = re.search(r'Parser key "(.+?)":.*Got value: (.*)', message, re.DOTALL)
    if wrong_type and wrong_type[1] in KEYS:
        return f"{wrong_type[1]} is {wrong_type[2]}: expected {expectation(KEYS[wrong_type[1]])}"
    unknown = re.match(r"unrecognized arguments: (--[^\s=]+)", message)
    if unknown:
        options = [option for action in parser._actions for option in action.option_strings]
        return f"there is no option {unknown[1]}{nearest(unknown[1], options)}; --help lists all options"
    missing = re.match(r"the following arguments are required: (.*)", message)
    if missing:
        return f"--{missing[1].replace(', ', ', --')} missing; --help lists all options"
    return f"{' '.join(message.split())}; --help lists all options"
