"""Kinds of settings: a type and its range, in words too, which pydantic checks; and what else a setting carries."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from annotated_types import Ge, Gt, Le, Len, Lt, MultipleOf, Predicate
from pydantic import AllowInfNan, BeforeValidator

from hicmd_tf.errors import UserError
from hicmd_tf.files import possible
from hicmd_tf.pictures import sixteen_bit

DRAWN = "synthetic_vi"
"""The data set of drawn people."""
TRIALS = 10
"""Splits of a data set that has several."""
LARGEST_SEED = 2**32 - 1
NOTE = "note"


class DataSet(NamedTuple):
    """A data set as far as settings depend on it: how many splits it has, whether it is read from no folder, and
    whether data.pattern is for it."""

    trials: int = 1
    drawn: bool = False
    patterned: bool = False


DATA_SETS: dict[str, DataSet] = {
    DRAWN: DataSet(TRIALS, drawn=True),
    "regdb": DataSet(TRIALS),
    "sysu_mm01": DataSet(),
    "llcm": DataSet(),
    "folder": DataSet(patterned=True),
}
"""The data sets of `data.sources`, which has the same by the same names."""


class Searched(NamedTuple):
    """Where a search looks for a setting: between two factors of the configuration's own value. symbol: its name."""

    symbol: str
    below: float
    above: float


@dataclass(frozen=True)
class Note:
    """Facts about a setting, or about a section, besides its kind.

    Args:
        meaning: What it is, with its unit; a comment of configs/base.yaml and a line of --help.
        source: What the value follows: a section (Sec.) or equation (Eq.) of the paper, a row of
            docs/paper_and_release.md, "released" for the authors' code.
        released, paper: Values of the authors' code and of the paper, where the two differ.
        change: Whether a run may go on with another value for the steps to come (--change).
        free: Whether no figure depends on it, so that it may differ between runs that are compared.
        fixed: Why a run can't go on with another value; a section's reason is that of its settings.
        search: Where `tuning` looks for it; None if it does not.
        of: The data set that alone reads it; empty for all.
        method: The method that alone reads it; empty for all.
    """

    meaning: str = ""
    source: str = ""
    released: Any = None
    paper: Any = None
    change: bool = False
    free: bool = False
    fixed: str = ""
    search: Searched | None = None
    of: str = ""
    method: str = ""

    def __str__(self) -> str:
        """Meaning and source, as a comment has them."""
        differing = f"released {_shown(self.released)}, paper {_shown(self.paper)}" if self.paper is not None else ""
        source = "; ".join(filter(None, (self.source, differing)))
        return f"{self.meaning} ({source})" if source else self.meaning


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def note(meaning: str = "", source: str = "", released: Any = None, paper: Any = None, **more: Any) -> Any:
    """A field of a dataclass with a `Note`."""
    return field(metadata={NOTE: Note(meaning, source, released, paper, **more)})


def free(meaning: str, source: str = "") -> Any:
    """A setting that no figure depends on."""
    return note(meaning, source, free=True)


def term(symbol: str, meaning: str, source: str, of: str = "") -> Any:
    """The weight of a term of the losses. of: the method that alone has it."""
    return note(f"{symbol}, {meaning}", source, change=True, search=Searched(symbol, 0.1, 10), method=of)


def rate(symbol: str, meaning: str, source: str, span: float = 5, of: str = "") -> Any:
    """A learning rate, looked for between 1 / span and span times the configuration's. of: the method that has it."""
    return note(meaning, source, change=True, search=Searched(symbol, 1 / span, span), method=of)


GROUPS = ("identity", "camera", "modality", "split", "track", "time")
PATTERN = f"a regular expression with some of the named groups {', '.join(GROUPS)}, such as (?P<identity>[^/]+)"


def compiled(pattern: str, named: str) -> re.Pattern[str]:
    """A pattern that says what paths of pictures mean. named: the option or setting it was given by, for the message.

    Raises UserError when it is no regular expression, or has none of the groups `GROUPS`, or others.
    """
    try:
        found = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise UserError(f"{named} is {pattern!r}, no regular expression ({error}): expected {PATTERN}") from error
    if not found.groupindex or set(found.groupindex) - set(GROUPS):
        given = f"groups {', '.join(found.groupindex)}" if found.groupindex else "no named group"
        raise UserError(f"{named} is {pattern!r} with {given}: expected {PATTERN}")
    return found


def _is_pattern(text: str) -> bool:
    try:
        return text == "" or compiled(text, "") is not None
    except UserError:
        return False


def _text(accepts: Callable[[str], bool]) -> Predicate:
    return Predicate(lambda text: possible(text) and accepts(text))


FINITE = AllowInfNan(False)
LISTED = BeforeValidator(lambda given: given.strip("[] ").split(",") if isinstance(given, str) else given)
"""Of a command line a list is a text, such as [16, 32]."""

NAMES = BeforeValidator(
    lambda given: (
        [one.strip() for one in given.strip("[] ").split(",") if one.strip()] if isinstance(given, str) else given
    )
)
"""The same of names; [] is a list of none."""

Flag = Annotated[bool, "true or false"]
Whole = Annotated[int, Ge(0), "a whole number, 0 or more"]
Count = Annotated[int, Ge(1), "a whole number, 1 or more"]
People = Annotated[int, Ge(2), "a whole number, 2 people or more"]
Pixels = Annotated[int, Gt(0), MultipleOf(4), "a positive multiple of 4"]
Split = Annotated[int, Ge(1), Le(TRIALS), f"a split from 1 to {TRIALS}"]
Seed = Annotated[int, Ge(0), Le(LARGEST_SEED), f"a whole number from 0 to {LARGEST_SEED}"]
Two = Annotated[list[Count], LISTED, Len(2, 2), "a list of 2 whole numbers, each 1 or more"]
Three = Annotated[list[Count], LISTED, Len(3, 3), "a list of 3 whole numbers, each 1 or more"]
Stages = Annotated[int, Ge(0), Le(4), "a number of stages from 0 to 4"]
Stride = Annotated[int, Ge(1), Le(2), "1 or 2"]
Power = Annotated[float, FINITE, Ge(1), "a finite number, 1 or more"]
Steps = Annotated[
    list[Count],
    NAMES,
    Predicate(lambda steps: sorted(set(steps)) == steps),
    "a list of rising whole numbers, such as [2000, 4000], or []",
]
Four = Annotated[list[Count], LISTED, Len(4, 4), "a list of 4 whole numbers, each 1 or more"]

MethodName = Literal["hicmd", "embedding"]
HICMD: MethodName = "hicmd"
EMBEDDING: MethodName = "embedding"

PARTS: dict[MethodName, tuple[str, ...]] = {
    HICMD: (
        *("prototype_encoders", "attribute_encoders", "decoder", "discriminators"),
        *("embedding", "combination", "head"),
    ),
    EMBEDDING: ("fronts", "trunk", "head"),
}
"""Networks by name, those of both modalities together, of each method."""
Parts = Annotated[
    list[str],
    NAMES,
    Predicate(lambda names: {*names} <= {*chain(*PARTS.values())} and len(set(names)) == len(names)),
    f"a list of some of {', '.join(PARTS[HICMD])}, each once, such as [decoder], of an embedding network of "
    f"{', '.join(PARTS[EMBEDDING])}, or []",
]

Weight = Annotated[float, FINITE, Ge(0), "a finite number, 0 or more"]
Rate = Annotated[float, FINITE, Gt(0), "a finite number above 0"]
Share = Annotated[float, FINITE, Ge(0), Le(1), "a probability or share from 0 to 1"]
Exponent = Annotated[float, FINITE, Ge(0), Le(1), "an exponent of 2 from 0, which changes nothing, to 1"]
InnerShare = Annotated[float, FINITE, Gt(0), Lt(1), "a share between 0 and 1"]
Decay = Annotated[float, FINITE, Ge(0), Lt(1), "a number from 0 to below 1"]
Factor = Annotated[float, FINITE, Gt(0), Le(1), "a factor above 0, at most 1"]
Angle = Annotated[float, FINITE, Ge(0), Le(math.pi + 1e-6), "an angle from 0 to pi (3.14159265)"]

DataName = Annotated[
    str, Predicate(lambda name: name in DATA_SETS), f"{', '.join([*DATA_SETS][:-1])} or {[*DATA_SETS][-1]}"
]
Name = Annotated[str, _text(lambda text: text.strip() != ""), "text that can be a path, not empty"]
Place = Annotated[str, _text(lambda text: True), "text that can be a path, or nothing"]
Pattern = Annotated[str, _text(_is_pattern), f"{PATTERN}, or nothing"]
Counts = Annotated[str, _text(sixteen_bit.is_setting), sixteen_bit.EXPECTED]


def stride_first(source: str) -> bool:
    """Whether the weights that `networks.resnet_weights` names want a block's stride on its first 1 x 1: Keras' do."""
    return source == "imagenet" or Path(source).suffix == ".h5"
