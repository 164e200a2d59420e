"""What is done with each picture, wherever it is done: read, decoded, checked, described."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.data.samples import ahead
from hicmd_tf.data.sources.index import location, read
from hicmd_tf.errors import UserError
from hicmd_tf.extraction.describers import Describe, described
from hicmd_tf.extraction.listed import Picture
from hicmd_tf.notation import Modality
from hicmd_tf.pictures.bounds import BadPictureError
from hicmd_tf.pictures.decode import decode, is_flat

Array = np.ndarray[Any, Any]


class Place(NamedTuple):
    """root: where relative paths begin, a folder or URL. sixteen_bit: as the setting data.sixteen_bit."""

    root: str
    sixteen_bit: str


class Looked(NamedTuple):
    """A picture that was read. pixels: uint8 (H, W, 3); None of one that can't be used. error: why. flat: whether it is
    nearly constant."""

    row: int
    modality: Modality
    pixels: Array | None
    error: str = ""
    flat: bool = False


@dataclass(frozen=True)
class Found:
    """Some rows of a part. descriptors: (R, E), of rows with an error NaN. errors: why there is none; empty where there
    is. flat: which are nearly constant."""

    part: int
    rows: list[int]
    descriptors: Array
    errors: list[str]
    flat: list[bool]


def look(row: int, picture: Picture, place: Place) -> Looked:
    """Reads and decodes a picture. One that can't be used is no exception: it has an error."""
    where = location(place.root, picture.path)
    try:
        pixels = decode(read(where), place.sixteen_bit)
    except BadPictureError as error:
        return Looked(row, picture.modality, None, str(error))
    except UserError as error:
        return Looked(row, picture.modality, None, str(error).removeprefix(where).strip())
    return Looked(row, picture.modality, pixels, flat=is_flat(pixels))


def found_in(part: int, pictures: list[Picture], place: Place, describe: Describe, length: int) -> Iterator[Found]:
    """Everything that is found of a part's pictures, batch by batch. length: E."""
    failed, flat = dict[int, str](), set[int]()

    def whole() -> Iterator[tuple[int, Modality, Array]]:
        for one in ahead(lambda each: look(*each, place), enumerate(pictures)):
            if one.pixels is None:
                failed[one.row] = one.error
            else:
                flat.update([one.row] * one.flat)
                yield one.row, one.modality, one.pixels

    for rows, descriptors in described(describe, whole()):
        yield Found(part, rows, descriptors, [""] * len(rows), [row in flat for row in rows])
    if failed:
        yield failures(part, failed, length)


def failures(part: int, failed: dict[int, str], length: int) -> Found:
    """Rows that have an error."""
    none = np.full((len(failed), length), np.nan, np.float32)
    return Found(part, [*failed], none, [*failed.values()], [False] * len(failed))
