"""Preparation before all else: TensorFlow without its chatter, and one line where this machine lacks something."""

import importlib.util
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType, TracebackType

from hicmd_tf.errors import UserError, missing, refuse, waiting

BACKEND = "KERAS_BACKEND"
ENGINES = ("tensorflow", "jax")
LEVEL = "TF_CPP_MIN_LOG_LEVEL"
CHATTER = re.compile(rb"[IWE]\d{4} \d\d:\d\d:\d+\.\d+ .*\n|WARNING: All log messages before absl.*\n")


def prepare() -> None:
    """Sets up what holds for every command and script. Raises UserError on systems without POSIX's locks."""
    if os.environ.setdefault(LEVEL, "3") != "0":
        sys.meta_path.insert(0, _Quietly())
    if sys.argv[:1] == ["-m"]:  # as Python has it while it looks for the command that it was started for
        sys.excepthook = _say_what_is_missing
        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # which warns where no home folder can be written
    if importlib.util.find_spec("fcntl") is None:
        raise UserError(f"hicmd_tf runs on Linux, not on {sys.platform}: on Windows, install it inside of WSL 2")


def choose_engine(engine: str) -> None:
    """Has Keras compute with the engine of `training.engine`; to be called before Keras is imported. Raises UserError
    where this process has another one already."""
    chosen = sys.modules["keras"].backend.backend() if "keras" in sys.modules else os.environ.get(BACKEND, engine)
    if chosen != engine:
        give = f", or give --engine {chosen}" if chosen in ENGINES else ""
        raise UserError(f"training.engine is {engine}, but {BACKEND} chooses {chosen}: unset {BACKEND}{give}")
    os.environ[BACKEND] = engine


def _say_what_is_missing(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """As sys.excepthook, for what fails before a command begins: its imports."""
    line = str(error) if isinstance(error, UserError) else missing(error)
    if line is None:
        sys.__excepthook__(kind, error, traceback)
    else:
        refuse(line)


class _Quietly(MetaPathFinder):
    """Finds TensorFlow where it is, to be loaded without the lines that it writes before it reads its log level."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname == "tensorflow" else None
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_quietly(module: ModuleType) -> None:
            waiting("loading TensorFlow")
            with _without_chatter():
                load(module)

        spec.loader.exec_module = load_quietly  # type: ignore[method-assign]
        return spec


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Removes TensorFlow's chatter from standard error; everything else comes afterwards."""
    try:
        before = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    said = os.memfd_create("standard error")
    os.dup2(said, 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        with os.fdopen(said, "rb") as written:
            written.seek(0)
            os.write(2, CHATTER.sub(b"", written.read()))
