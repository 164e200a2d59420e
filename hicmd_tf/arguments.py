"""Command lines without a configuration: mistakes in one line, and the kinds of numbers that options take."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from hicmd_tf.errors import UserError
from hicmd_tf.files import check_writable, possible
from hicmd_tf.pictures.sixteen_bit import EXPECTED, is_setting

LARGEST = 2**31 - 1  # beyond it no number of things is meant
LARGEST_NUMBER = 2**53
SHOWN = 60  # letters of a word


class Parser(argparse.ArgumentParser):
    """Keeps the lines of its description, takes no shortened option, and raises UserError for a mistake."""

    def __init__(self, prog: str | None = None, **options: Any) -> None:
        kept = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
        super().__init__(prog, **{**kept, **options})
        for kind, reads in READERS.items():  # by which `type=int` is said so that it is understood
            self.register("type", kind, reads)

    def error(self, message: str) -> NoReturn:
        """Raises UserError, which a command says in one line."""
        raise UserError(f"command line: {message.removeprefix('argument ')}; --help lists all options")


def whole(text: str) -> int:
    """Any whole number. Raises ArgumentTypeError for anything else, as all of these do."""
    return _whole(text, -LARGEST_NUMBER, LARGEST_NUMBER, "is no whole number")


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{_shown(text)} is no number")
    return value


def path(text: str) -> Path:
    """A name that a file could have."""
    if not possible(text):
        raise argparse.ArgumentTypeError(f"{_shown(text)} can't be the name of a file or folder")
    return Path(text)


def writable(text: str) -> Path:
    """A file that can be written, which is tried: it would be a pity to find out when all is computed."""
    found = path(text)
    try:
        check_writable(found, None)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return found


READERS: dict[type, Callable[[str], Any]] = {int: whole, float: number, Path: path}


def port(text: str) -> int:
    """0 to 65535."""
    return _whole(text, 0, (1 << 16) - 1, "is no port, expected 0 to 65535")


def count(text: str) -> int:
    """A whole number from 0 on."""
    return _whole(text, 0, LARGEST, "is no number of things, expected a whole number from 0 on")


def positive(text: str) -> int:
    """A whole number from 1 on."""
    return _whole(text, 1, LARGEST, "is no number of things, expected a whole number from 1 on")


def seconds(text: str) -> float:
    """A time in the option's unit, from 0 to below a million."""
    value = number(text)
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError(f"{_shown(text)} is no time, expected a number from 0 on")
    return value


def sixteen_bit(text: str) -> str:
    """A range of 16-bit counts, as the setting data.sixteen_bit."""
    if not is_setting(text):
        raise argparse.ArgumentTypeError(f"{_shown(text)} is no range, expected {EXPECTED}")
    return text


def time_limit(text: str) -> float:
    """A time in the option's unit that is to be waited, above 0 and below a million."""
    value = seconds(text)
    if not value:
        raise argparse.ArgumentTypeError(f"{_shown(text)} is no time to wait, expected a number above 0")
    return value


def share(text: str) -> float:
    """A part of a whole, 0 to 1."""
    value = number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{_shown(text)} is no share, expected a number from 0 to 1")
    return value


def _whole(text: str, least: int, most: int, complaint: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{_shown(text)} {complaint}")
    return value


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}..")
