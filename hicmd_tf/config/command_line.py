"""The command line of every program that takes a configuration: --config, and every setting by its dotted name."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hicmd_tf.arguments import Parser
from hicmd_tf.config.loading import BASE, find, load, read_chain, with_values
from hicmd_tf.config.schema import Config
from hicmd_tf.config.settings import COMMAND_LINE, SETTINGS
from hicmd_tf.config.validation import refuse_sourceless, refuse_unread
from hicmd_tf.errors import UserError
from hicmd_tf.files import possible


def parse(
    program: str,
    description: str,
    arguments: Sequence[str] | None,
    extra: Callable[[Parser], None] | None = None,
    short: Mapping[str, str] | None = None,
    stored: Callable[[Path], Config] | None = None,
    reads: Sequence[str] = ("",),
) -> tuple[Config, argparse.Namespace]:
    """The configuration that a command line asks for, and the command's own options.

    Args:
        program: What is typed to call it.
        arguments: Without the program; None: those of this process.
        extra: Adds the command's own options.
        short: Further names of settings, by that name.
        stored: Opens the configuration of a run folder, which --run then names instead of --config.
        reads: How the names of settings begin that the program reads: to give another is a mistake.

    Raises:
        UserError: For a mistake, and for a data set whose folder is not named, for all these programs read one.
    """
    parser = _parser(program, description)
    parser.add_argument(
        "--config", metavar="FILE", help="YAML file of settings, or the bare name of one in configs/ (default: base)"
    )
    if extra is not None:
        extra(parser)
    if stored is not None:
        parser.add_argument("--run", metavar="DIR", type=Path, help="run folder whose settings hold, not --config")
    overrides, options = _read(parser, arguments, short or {}, reads)
    if stored is not None and options.run is not None:
        if options.config is not None:
            raise UserError("give either --config or --run: whose settings hold")
        config = with_values(stored(options.run), overrides)
    else:
        config = load(options.config or BASE, overrides)
    refuse_sourceless(config.data, "--data.source")
    refuse_unread(config, overrides)
    return config, options


def parse_settings(
    program: str,
    description: str,
    arguments: Sequence[str],
    extra: Callable[[Parser], None],
    short: Mapping[str, str],
    usage: str,
    reads: Sequence[str] = ("",),
) -> tuple[dict[str, Any], argparse.Namespace]:
    """The settings that a command line gives, by dotted name, for configurations that the command's own options name;
    and these. usage: how it is called, after its name. Other arguments and errors as those of `parse`."""
    parser = _parser(program, description, usage)
    extra(parser)
    return _read(parser, arguments, short, reads)


def _read(
    parser: Parser, arguments: Sequence[str] | None, short: Mapping[str, str], reads: Sequence[str]
) -> tuple[dict[str, Any], argparse.Namespace]:
    """The settings, and all other options."""
    names = {**{key: key for key in SETTINGS}, **short}
    for name, key in short.items():
        parser.add_argument(f"--{name}", default=argparse.SUPPRESS, metavar="X", help=f"the same as --{key}")
    options = parser.parse_args(arguments)
    overrides: dict[str, Any] = {}
    for name in [name for name in names if name in vars(options)]:
        key, text = names[name], vars(options).pop(name)
        if not key.startswith(tuple(reads)):
            raise UserError(
                f"{COMMAND_LINE}: --{name} {text}: nothing that {parser.prog} does depends on it; leave it out"
            )
        value = SETTINGS[key].checked(text, COMMAND_LINE)
        if overrides.setdefault(key, value) != value:
            raise UserError(
                f"{COMMAND_LINE}: --{name} {text} and --{key} {overrides[key]} are one setting: give one of them"
            )
    for name, text in vars(options).items():
        if isinstance(text, str) and not possible(text):
            raise UserError(f"{COMMAND_LINE}: --{name} is {text[:60]!r}, which can't be the name of a file or folder")
    return overrides, options


def _parser(program: str, description: str, usage: str = "[options]") -> Parser:
    parser = Parser(
        program,
        usage=f"%(prog)s {usage}",
        description=f"{description.strip()} Defaults are those of configs/{BASE}.yaml.",
    )
    defaults = read_chain(find(BASE))
    groups: dict[str, Any] = {}
    for key in SETTINGS:
        section = key.rpartition(".")[0]
        if section not in groups:
            groups[section] = parser.add_argument_group(section or "run")
        add_setting(groups[section], f"--{key}", key, defaults[key].value, default=argparse.SUPPRESS)
    return parser


def add_setting(group: Any, option: str, key: str, usual: Any, **more: Any) -> None:
    """Adds an option for a setting, whose text is not yet read. usual: what holds without it."""
    shown = f"[{', '.join(usual)}]" if isinstance(usual, list) else usual or "nothing"
    words = f"{SETTINGS[key].comment} [default: {shown}]".replace("%", "%%")
    group.add_argument(option, metavar="X", help=words, **more)
