"""The command `hicmd` and its sub-commands, one file each: arguments and printing.

A sub-command is imported when it is called, and imports what computes once its arguments are right: `--help` and
mistakes are answered without TensorFlow.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from hicmd_tf import __version__
from hicmd_tf.arguments import NoOptionError, Parser
from hicmd_tf.errors import UserError, announce_waits, nearest, run_command, some
from hicmd_tf.startup import BACKEND

COMMANDS = {
    "fit": "train a configuration into a run folder, and evaluate it",
    "evaluate": "figures of a run, an exported model or descriptors",
    "baselines": "what raw pixels, colour histograms, HOG, LOMO and chance reach",
    "visualize": "pictures of what a run's networks learned",
    "report": "one page about a run, report.html",
    "disentangle": "what each code of a run carries, in numbers",
    "explore": "a run in the browser: search, and mix codes",
    "search": "a gallery of descriptors, kept and searched",
    "extract": "descriptors of pictures, by a run's model",
    "export": "a run's descriptor branch as SavedModel or ONNX",
    "serve": "an exported SavedModel behind HTTP",
    "describe": "descriptors of pictures, from a server",
    "tune": "look for loss weights, margin and learning rates",
    "ablations": "the paper's ablations as a grid",
    "compare": "configurations and runs side by side, as in Table 1",
    "carry-over": "runs on people drawn otherwise, and of other data sets",
    "convert": "released PyTorch checkpoints to run folders, and back",
    "reproduce": "train a finished run again, and compare",
    "replay": "run the step again at which a run stopped",
    "check": "whether a data set is whole",
    "draw": "a contact sheet of the drawn people",
    "sample-folder": "drawn people as a folder of your own, to practise on",
}
"""The purpose of each command; the module of the same name, with _ for -, holds the command."""

TRAIN = ("fit", "tune", "ablations", "compare", "reproduce")
"""Commands that compute, or start what computes, with the engine of `training.engine`."""

USAGE = """usage: hicmd COMMAND [options]

Hi-CMD: matching people between visible and infrared cameras.

{commands}

hicmd COMMAND --help lists a command's options."""


def main(arguments: Sequence[str]) -> None:
    """Does what a command line says. arguments: without the program's name.

    Raises UserError for a mistake, and SystemExit where a command ends with an exit code of its own.
    """
    name, *rest = arguments or [""]
    if name in ("-h", "--help"):
        print(USAGE.format(commands="\n".join(f"  {name:<13} {does}" for name, does in COMMANDS.items())))
        return
    if name == "--version":
        print(f"hicmd {__version__}")
        return
    if name not in COMMANDS:
        said = f"there is no command {name}{nearest(name, COMMANDS)}" if name else "give a command"
        raise UserError(f"{said}; hicmd --help lists all commands")
    if name not in TRAIN and "keras" not in sys.modules:
        os.environ[BACKEND] = "tensorflow"  # which opens runs, whoever trained them
    try:
        _module(name).main(rest)
    except NoOptionError as error:
        having = [other for one in COMMANDS for other in _having(one, error.option)]
        if not having:
            raise
        has = f"{some(having, 3)} {'has' if len(having) == 1 else 'have'} it"
        raise UserError(
            f"command line: {error.option} is no option here{error.near}, {has}; --help lists all options"
        ) from error


def _module(name: str) -> Any:
    return importlib.import_module(f"hicmd_tf.commands.{name.replace('-', '_')}")


def _having(name: str, option: str) -> list[str]:
    """Whether a command has an option, or which of those below it have."""
    from hicmd_tf.config.settings import SETTINGS

    found = _module(name)
    parser: Parser = found._parser() if hasattr(found, "_parser") else Parser(f"hicmd {name}")
    if hasattr(found, "_options"):  # beside settings
        found._options(parser)
        if option.removeprefix("--") in {*SETTINGS, *getattr(found, "SHORT", ())}:
            return [parser.prog]
    return parser.having(option)


def console(*before: str) -> None:
    """Runs this process's command line. before: words that come before it."""
    announce_waits()
    run_command(lambda: main([*before, *sys.argv[1:]]))
