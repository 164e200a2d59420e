"""What goes wrong by a user's hand, and how a command says so: one line, exit code 2."""

import os
import sys
import warnings
from collections.abc import Callable

EXIT_CODE = 2
EXTRAS = {  # what brings packages that not everyone needs
    "onnx": "export",
    "onnxruntime": "export",
    "tf2onnx": "export",
    "tensorflow_serving": "export",
    "faiss": "search",
    "pymilvus": "milvus",
    "keras_tuner": "tuning",
    "nicegui": "explore",
    "starlette": "serve",
    "uvicorn": "serve",
}


class UserError(Exception):
    """A mistake that the user can mend. The message is one line: the thing, what was expected, what to do."""


def run_command(main: Callable[[], None]) -> None:
    """Runs a command-line entry point; a UserError, or an extra that is not installed, becomes one line on standard
    error and exit code 2."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own chatter; what fails still raises
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    try:
        main()
    except UserError as error:
        _refuse(str(error))
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        _refuse(f"the package {error.name} is not installed: pip install 'hicmd-tf[{extra}]' brings it")


def _refuse(message: str) -> None:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(EXIT_CODE)
