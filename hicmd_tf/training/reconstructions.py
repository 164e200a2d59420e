"""Pictures that G makes of fixed pairs: input, same, cross, cycle, illumination-only swap, in both modalities."""

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from hicmd_tf.data.batches import evaluation_batches
from hicmd_tf.data.pictures import denormalise
from hicmd_tf.data.samples import Samples
from hicmd_tf.method.generation import Pictures, Reconstructed
from hicmd_tf.notation import MODALITIES, VISIBLE
from hicmd_tf.pictures.sheet import labelled_columns

Array = np.ndarray[Any, Any]

KINDS = ("input", "same", "cross", "cycle", "light only")  # the last four are those of `Reconstructed`


class Reconstructions:
    """A grid of `count` pairs of different identities, the first picture of each in both modalities.

    make: `Learner.reconstruct`.
    """

    def __init__(
        self, make: Callable[[Pictures], Reconstructed], samples: Samples, height: int, width: int, count: int = 6
    ) -> None:
        identities = samples.shared()[:count]
        self._make = make
        self.pairs = {m: _first_pictures(samples.of(m), identities, height, width) for m in MODALITIES}

    def draw(self) -> Image.Image:
        """The grid with the model's present weights."""
        made = self._make(self.pairs)
        columns = []
        for m in MODALITIES:
            pictures = [self.pairs[m], *(kind[m] for kind in made)]
            short = "vis" if m == VISIBLE else "ir"
            columns += [
                (f"{short} {name}", denormalise(np.asarray(x))) for name, x in zip(KINDS, pictures, strict=True)
            ]
        return labelled_columns(columns)


def _first_pictures(samples: Samples, identities: Array, height: int, width: int) -> Array:
    rows = np.array([np.flatnonzero(samples.identities == identity)[0] for identity in identities])
    return next(evaluation_batches(samples.select(rows), height, width, len(rows)))
