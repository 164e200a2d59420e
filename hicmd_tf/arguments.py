"""Command lines without a configuration: mistakes in one line, and the kinds of numbers that options take."""

import argparse
import math
import re
from typing import Any, NoReturn

from hicmd_tf.errors import UserError

LARGEST = 2**31 - 1  # beyond it no number of things is meant
NUMBERS = {"int": "a whole number", "float": "a number"}


class Parser(argparse.ArgumentParser):
    """Keeps the lines of its description, takes no shortened option, and raises UserError for a mistake."""

    def __init__(self, prog: str | None = None, **options: Any) -> None:
        kept = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
        super().__init__(prog, **{**kept, **options})

    def error(self, message: str) -> NoReturn:
        """Raises UserError, which a command says in one line, with argparse's message in our words."""
        number = re.fullmatch(r"argument (.+?): invalid (int|float) value: (.*)", message, re.DOTALL)
        if number:
            message = f"{number[1]} is {number[3]}, expected {NUMBERS[number[2]]}"
        raise UserError(f"command line: {message.removeprefix('argument ')}; --help lists all options")


def port(text: str) -> int:
    """0 to 65535. Raises ArgumentTypeError for anything else, as all of these do."""
    return _whole(text, 0, (1 << 16) - 1, "is no port, expected 0 to 65535")


def count(text: str) -> int:
    """A whole number from 0 on."""
    return _whole(text, 0, LARGEST, "is no number of things, expected a whole number from 0 on")


def positive(text: str) -> int:
    """A whole number from 1 on."""
    return _whole(text, 1, LARGEST, "is no number of things, expected a whole number from 1 on")


def seconds(text: str) -> float:
    """A time in the option's unit, from 0 to below a million."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no time, expected a number from 0 on")
    return value


def _whole(text: str, least: int, most: int, complaint: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} {complaint}")
    return value
