"""Command lines without a configuration: mistakes in one line, and the kinds of numbers that options take."""

import argparse
import itertools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from hicmd_tf.errors import UserError, nearest
from hicmd_tf.files import check_writable, possible
from hicmd_tf.notation import MODALITIES, Modality, modality_of
from hicmd_tf.pictures.sixteen_bit import EXPECTED, is_setting

LARGEST = 2**31 - 1  # beyond it no number of things is meant
SHOWN = 60  # letters of a word
PLACES = ("DIR", "FILE", "PATH")
"""What options are shown to take that name a file or folder."""


class NoOptionError(UserError):
    """An option that a command lacks. near: which it has instead, in brackets."""

    def __init__(self, option: str, near: str) -> None:
        super().__init__(f"command line: there is no option {option}{near}; --help lists all options")
        self.option, self.near = option, near


class Way(NamedTuple):
    """One of several ways to call a command, and what goes with it. Options that no way names go with all.

    by: the option that chooses it; empty for the way that none does. needs: options that must be given. takes: those
    that may be.
    """

    by: str
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()

    @property
    def uses(self) -> set[str]:
        """All its options."""
        return {self.by, *self.needs, *self.takes}


class Parser(argparse.ArgumentParser):
    """Keeps the lines of its description, takes no shortened option, and raises UserError for a mistake.

    groups: of ways; each call must be exactly one of each group. An option that is given is used or refused, never
    ignored.
    """

    def __init__(self, prog: str | None = None, *groups: Sequence[Way], **options: Any) -> None:
        kept = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
        super().__init__(prog, **{**kept, **options})
        self.groups = groups
        for kind, reads in READERS.items():  # so that `type=int` refuses in plain words
            self.register("type", kind, reads)

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """As argparse does. Raises UserError for options that don't go together, too."""
        words = list(sys.argv[1:] if args is None else args)
        options, left = self.parse_known_args(words, namespace)
        if left:
            self.error(self._left_over(left[0], words))
        if self.groups:
            given = self.given(args)
            for ways in self.groups:
                self._check(ways, given)
        return options

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """As argparse does. Raises UserError for an option that there is not, before argparse asks for what is missing,
        which may be just what is misspelt; and for one that is given twice: only one of them would hold."""
        words = list(sys.argv[1:] if args is None else args)
        known, seen = list(self._option_string_actions), set()
        # After the name of a command below stand that command's options, which it looks at itself.
        own = itertools.takewhile(lambda word: word != "--" and (word.startswith("-") or not self._below()), words)
        for word in (word.partition("=")[0] for word in own):
            if word.startswith("--") and " " not in word and word not in known:
                raise NoOptionError(word[:SHOWN], nearest(word, known))
            action = self._option_string_actions.get(word)
            if action is None or isinstance(action, argparse._AppendAction):  # which gathers
                continue
            if action.dest in seen:
                self.error(f"{action.option_strings[0]} is given twice: give it once")
            seen.add(action.dest)
        return super().parse_known_args(words, namespace)

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        if "" in arg_strings and action.metavar in PLACES:  # which would be the working directory
            raise argparse.ArgumentError(action, "'' can't be the name of a file or folder")
        return super()._get_values(action, arg_strings)  # type: ignore[misc]

    def having(self, option: str) -> list[str]:
        """Which commands, of this one and those below, have an option."""
        own = [self.prog] if option in self._option_string_actions else []
        return [*own, *(name for parser in self._below().values() for name in parser.having(option))]

    def _below(self) -> "dict[str, Parser]":
        """The commands below, by name."""
        below = [action.choices for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        return {name: parser for choices in below for name, parser in choices.items()}

    def _left_over(self, word: str, words: Sequence[str]) -> str:
        """What is wrong with a word that nothing takes."""
        parser = next((self._below()[name] for name in words if name in self._below()), self)
        place = max((place for place, one in enumerate(words) if one == word), default=0)
        before = [one for one in words[:place] if one.startswith("-")]
        action = parser._option_string_actions.get(before[-1].partition("=")[0]) if before else None
        if action is None or action.nargs is not None or word.startswith("-"):
            return f"nothing takes {_shown(word)}: leave it out"
        one = action.metavar or action.dest.upper()
        return (
            f"{before[-1]} takes one {one}, and {_shown(word)} is left over: leave it out, or give the command for each"
        )

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            names = list(map(str, action.choices))
            raise argparse.ArgumentError(
                action, f"{_shown(str(value))} is none of {', '.join(names)}{nearest(str(value), names)}"
            )

    def given(self, args: Sequence[str] | None = None) -> list[str]:
        """The options that a command line names, also with their default values."""
        absent = object()
        found = super().parse_args(args, argparse.Namespace(**{action.dest: absent for action in self._actions}))
        named = [action for action in self._actions if getattr(found, action.dest, absent) is not absent]
        return [action.option_strings[0] for action in named if action.option_strings]

    def _check(self, ways: Sequence[Way], given: Sequence[str]) -> None:
        chosen = [way for way in ways if way.by in given] or [way for way in ways if not way.by]
        choices = " or ".join(way.by for way in ways if way.by)
        if len(chosen) > 1:
            self.error(f"{' and '.join(way.by for way in chosen)} don't go together: give one of them")
        if not chosen:
            self.error(f"give one of {choices}")
        (way,) = chosen
        for option in way.needs:
            if option not in given:
                self.error(f"{way.by} needs {option}")
        for option in given:
            users = [other for other in ways if option in other.uses]
            if users and way not in users:
                words = " or ".join(other.by for other in users if other.by) or f"a call without {choices}"
                self.error(f"{option} does not go with {way.by or 'this call'}: it goes with {words}")

    def error(self, message: str) -> NoReturn:
        """Raises UserError, which a command says in one line."""
        raise UserError(f"command line: {message.removeprefix('argument ')}; --help lists all options")


def _numbers(kind: Callable[[str], Any], least: float, most: float, complaint: str) -> Callable[[str], Any]:
    """Reads numbers in a range. Raises ArgumentTypeError for anything else, as all of these do."""

    def read(text: str) -> Any:
        try:
            value = kind(text)
            if least <= value <= most:
                return value
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"{_shown(text)} {complaint}")

    return read


def at_least(least: int) -> Callable[[str], int]:
    """Reads a whole number from `least` on."""
    return _numbers(int, least, LARGEST, f"is not a count, expected a whole number from {least} on")


def bounded(least: int, most: int, step: int = 1) -> Callable[[str], int]:
    """Reads a multiple of `step` from `least` to `most`."""
    kind = "whole number" if step == 1 else f"multiple of {step}"
    complaint = f"is out of range, expected a {kind} from {least} to {most}"
    in_range = _numbers(int, least, most, complaint)

    def read(text: str) -> int:
        value = int(in_range(text))
        if value % step:
            raise argparse.ArgumentTypeError(f"{_shown(text)} {complaint}")
        return value

    return read


whole = _numbers(int, -(2**53), 2**53, "is no whole number")
number = _numbers(float, -sys.float_info.max, sys.float_info.max, "is not a number")
count, positive = at_least(0), at_least(1)
port = _numbers(int, 0, 2**16 - 1, "is no port, expected 0 to 65535")
seed = _numbers(int, 0, 2**32 - 1, f"is no seed, expected 0 to {2**32 - 1}")
share = _numbers(float, 0, 1, "is no share, expected a number from 0 to 1")
false_accepts = _numbers(float, 1e-9, 0.5, "is no rate of false accepts, expected a number above 0, at most 0.5")
seconds = _numbers(float, 0, 1e6, "is no time, expected a number from 0 on")
time_limit = _numbers(float, sys.float_info.min, 1e6, "is no time to wait, expected a number above 0")


def add_minutes(parser: argparse.ArgumentParser) -> None:
    """Adds --minutes, for a command that `errors.limited` ends."""
    said = "stop after so many minutes as at Ctrl-C, exit code 130: --resume goes on (default: no limit)"
    parser.add_argument("--minutes", type=time_limit, metavar="N", help=said)


def path(text: str) -> Path:
    """A name that a file could have."""
    if not text or not possible(text):
        raise argparse.ArgumentTypeError(f"{_shown(text)} can't be the name of a file or folder")
    return Path(text)


READERS: dict[type, Callable[[str], Any]] = {int: whole, float: number, Path: path}


def writable(text: str) -> Path:
    """A file that can be written, which is tried: it would be a pity to find out when all is computed."""
    found = path(text)
    try:
        check_writable(found)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return found


def png(text: str) -> Path:
    """A PNG file that can be written."""
    found = writable(text)
    if found.suffix.lower() != ".png":
        raise argparse.ArgumentTypeError(f"{_shown(text)} is no name of a PNG: end it in .png")
    return found


def modality(text: str) -> Modality:
    """A modality, spelt as folders are."""
    found = modality_of(text)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{_shown(text)} is no modality, expected {' or '.join(MODALITIES)}, or a word for one, such as rgb or ir"
        )
    return found


def sixteen_bit(text: str) -> str:
    """A range of 16-bit counts, as the setting data.sixteen_bit."""
    if not is_setting(text):
        raise argparse.ArgumentTypeError(f"{_shown(text)} is no range, expected {EXPECTED}")
    return text


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}..")
