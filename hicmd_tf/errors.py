"""What goes wrong by a user's hand, and how a command says so: one line, exit code 2."""

import os
import sys
from collections.abc import Callable

EXIT_CODE = 2


class UserError(Exception):
    """A mistake that the user can mend. The message is one line: the thing, what was expected, what to do."""


def run_command(main: Callable[[], None]) -> None:
    """Runs a command-line entry point; a UserError becomes one line on standard error and exit code 2."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own chatter; what fails still raises
    try:
        main()
    except UserError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(EXIT_CODE)
