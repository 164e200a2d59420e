"""What comes before all else: TensorFlow without its chatter, and one line where this machine lacks something."""

import importlib.util
import logging
import os
import sys
from types import TracebackType

from hicmd_tf.errors import UserError, missing, refuse


def prepare() -> None:
    """Sets up what holds for every command and script. Raises UserError on systems without POSIX's locks."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if sys.argv[:1] == ["-m"]:  # as Python has it while it looks for the command that it was started for
        sys.excepthook = _say_what_is_missing
        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # which warns where no home folder can be written
    if importlib.util.find_spec("fcntl") is None:
        raise UserError(f"hicmd_tf runs on Linux, not on {sys.platform}: on Windows, install it inside of WSL 2")


def _say_what_is_missing(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """As sys.excepthook, for what fails before a command begins: its imports."""
    line = str(error) if isinstance(error, UserError) else missing(error)
    if line is None:
        sys.__excepthook__(kind, error, traceback)
    else:
        refuse(line)
