"""Pictures that G makes of fixed pairs: input, same, cross, cycle, illumination-only swap, in both modalities."""

from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from hicmd_tf.data.batches import evaluation_batches
from hicmd_tf.data.pictures import denormalise
from hicmd_tf.data.samples import Samples
from hicmd_tf.engines.tensorflow.hicmd import HiCMD
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality, Tensor
from hicmd_tf.pictures.sheet import labelled_columns

Array = np.ndarray[Any, Any]

KINDS = ("input", "same", "cross", "cycle", "light only")


class Reconstructions:
    """A grid of `count` pairs of different identities, the first picture of each in both modalities."""

    def __init__(self, model: HiCMD, samples: Samples, height: int, width: int, count: int = 6) -> None:
        identities = samples.shared()[:count]
        self.model = model
        self.pairs = {m: _first_pictures(samples.of(m), identities, height, width) for m in MODALITIES}

    def draw(self) -> Image.Image:
        """The grid with the model's present weights."""
        made = _make(self.model, self.pairs[VISIBLE], self.pairs[INFRARED])
        columns = []
        for m in MODALITIES:
            pictures = [self.pairs[m], *(kind[m] for kind in made)]
            short = "vis" if m == VISIBLE else "ir"
            columns += [
                (f"{short} {name}", denormalise(np.asarray(x))) for name, x in zip(KINDS, pictures, strict=True)
            ]
        return labelled_columns(columns)


@tf.function  # traced once per model and number of pairs, however often it is drawn
def _make(model: HiCMD, visible: Tensor, infrared: Tensor) -> list[dict[Modality, Tensor]]:
    """Same, cross, cycle and illumination-only pictures of pairs (P, H, W, 3)."""
    codes = {m: model.encode(m, x, training=False) for m, x in ((VISIBLE, visible), (INFRARED, infrared))}
    decoded = model.decode_swaps(codes)
    recoded = {m: model.encode(m, decoded.cross[m], training=False) for m in MODALITIES}
    return [decoded.same, decoded.cross, model.decode_cycle(codes, recoded), decoded.illumination]


def _first_pictures(samples: Samples, identities: Array, height: int, width: int) -> Tensor:
    rows = np.array([np.flatnonzero(samples.identities == identity)[0] for identity in identities])
    return next(evaluation_batches(samples.select(rows), height, width, len(rows)))
