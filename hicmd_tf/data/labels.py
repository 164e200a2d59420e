"""Names of people and cameras as numbers, the same in every process and command.

A name of up to twelve digits is that number; any other text has a number from `HASHED` on, computed from its letters.
So folders called 12, anna or 192.168.1.64 are the same people and cameras in training, descriptors and galleries, which
share nothing but the name. Texts travel beside the numbers, as {number: text}, and are what people are shown.

>>> number("0012"), number("-1"), number("anna") >= HASHED
(12, -1, True)
>>> shown(number("anna"), texts_of(["anna", "12"])), shown(12, {})
('anna', '12')
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hicmd_tf.errors import UserError

Array = np.ndarray[Any, Any]
Texts = Mapping[int, str]
"""The texts of numbers; those below `HASHED` speak for themselves and have none."""

UNKNOWN = -1
"""The identity of pictures of which nobody says whom they show; any other negative number means the same."""
UNKNOWN_TEXT = "unknown"
HASHED = 2**40
"""Numbers of texts begin here, above all of twelve digits, and end below 2 ** 52: float64 holds each exactly."""
END = 2**52
DIGITS = re.compile(r"\d{1,12}", re.ASCII)
NEGATIVE = re.compile(r"-\d+", re.ASCII)


def number(text: str) -> int:
    """The number of a name, at least 0; `UNKNOWN` for negative numbers and the word unknown.

    Composed and decomposed Unicode forms (NFC, NFD) of a name are one name, and so is one with blanks at its ends.
    """
    text = text.strip()
    if DIGITS.fullmatch(text):
        return int(text)
    if NEGATIVE.fullmatch(text) or text.casefold() == UNKNOWN_TEXT:
        return UNKNOWN
    digest = hashlib.blake2b(composed(text).encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return HASHED + int.from_bytes(digest, "big") % (END - HASHED)


def composed(text: str) -> str:
    """The text in the Unicode form that labels have (NFC), without blanks at its ends."""
    return unicodedata.normalize("NFC", text).strip()


def numbered(names: Iterable[str], bearers: str) -> dict[str, int]:
    """The number of each name. bearers: in words, the two that bear one number's names, for the message.

    Raises UserError when two names have one number, such as 12 and 0012, or two texts, which next to never happens.
    """
    found = {name: number(name) for name in names}
    first: dict[int, str] = {}
    for name, one in found.items():
        other = first.setdefault(one, name)
        if one != UNKNOWN and composed(other) != composed(name):
            both = " and ".join(sorted((other, name)))
            raise UserError(f"{bearers} are the same number, {both}: call every one by one name")
    return found


def texts_of(names: Iterable[str]) -> dict[int, str]:
    """Texts by number, of those names that are not numbers. Raises UserError when two have one number."""
    texts = (name for name in names if number(name) >= HASHED)
    return {one: composed(name) for name, one in numbered(texts, "two names").items()}


def shown(one: int, texts: Texts) -> str:
    """A number as people read it: its text, where it has none the number; a negative identity is unknown."""
    return UNKNOWN_TEXT if one < 0 else texts.get(one, str(one))


def column(numbers: Array, texts: Texts) -> list[str]:
    """The shown text of each of the numbers (N,)."""
    return [shown(one, texts) for one in numbers.tolist()]


def texts_in(numbers: Sequence[int], names: Sequence[str], place: str) -> dict[int, str]:
    """The texts of stored numbers, each beside its name as `column` wrote it.

    place: where they are stored, for the message. Raises UserError for a name that is another number's.
    """
    named = {(one, name) for one, name in zip(numbers, names, strict=True) if name != shown(one, {})}
    for one, name in named:
        if number(name) != one:
            raise UserError(
                f"{place} calls {one} {name[:40]!r}, whose number is {number(name)}: write names and numbers that agree"
            )
    return texts_of(name for _, name in named)


def named(numbers: Array, texts: Texts) -> dict[int, str]:
    """Shown texts by number, of numbers (N,): those without a text first, ascending, then texts by the alphabet."""
    found = ((one, shown(one, texts)) for one in np.unique(numbers).tolist())
    return dict(sorted(found, key=lambda pair: (texts.get(pair[0], ""), pair[0])))


def known(identities: Array | int) -> Array:
    """Whether each of the identities is somebody's who is known; bool of their shape."""
    return np.asarray(identities) >= 0


def same(one: Array | int, other: Array | int) -> Array:
    """Whether identities, broadcast against each other, are one person's; nobody is an unknown person's match."""
    return (np.asarray(one) == other) & known(one)
