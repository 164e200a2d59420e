"""A run's answers to the explorer's page: rankings for a picture, and images by G from mixed codes (no NiceGUI)."""

from collections.abc import Sequence
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.data.labels import named
from hicmd_tf.data.pictures import denormalise, fitted
from hicmd_tf.errors import UserError
from hicmd_tf.notation import Codes, Modality, other
from hicmd_tf.pictures.bounds import BadPictureError
from hicmd_tf.pictures.decode import as_png
from hicmd_tf.retrieval.distances import checked
from hicmd_tf.retrieval.threshold import Mark
from hicmd_tf.runs.opened import OpenedRun

Array = np.ndarray[Any, Any]

KEPT_PICTURES, KEPT_CODES = 512, 16  # a prototype has megabytes


class Hit(NamedTuple):
    """row: of the run's samples. similarity: cosine. right: whether it is the query's person; None: not known. mark:
    what the similarity says by the run's threshold; None where it has none."""

    row: int
    similarity: float
    right: bool | None
    mark: Mark | None = None


class Ranking(NamedTuple):
    """hits: every picture of the other modality, most similar first. first: rank of the first right one, from 1.
    average_precision: of the query, a fraction; both None where no right one is known of."""

    hits: list[Hit]
    first: int | None = None
    average_precision: float | None = None


class Mixture(NamedTuple):
    """How far each part of the codes goes from A's (0) to B's (1)."""

    prototype: float = 0.0
    style: float = 0.0
    pose: float = 0.0
    illumination: float = 0.0


SWAPS = {
    "A in B's pose and light": Mixture(pose=1.0, illumination=1.0),  # G(p_A, a^s_A, a^ex_B), Eq. 1
    "A in B's style": Mixture(style=1.0),
    "only B's illumination": Mixture(illumination=1.0),  # G(p_A, a^s_A, a^c_B, a^p_A), Eq. 7
    "reset": Mixture(),  # G(p_A, a^s_A, a^ex_A), Eq. 2
}


class Studio:
    """A run's test pictures, looked up and mixed. Its methods may be called from several threads; a row is a number of
    `OpenedRun.samples`.

    people: what everyone is called, by number.
    """

    def __init__(self, run: OpenedRun) -> None:
        """Describes all pictures, once. Raises UserError where a descriptor is not finite or all zeros."""
        self.run = run
        self.people = named(run.samples.identities, run.samples.texts)
        self._descriptors = checked(run.descriptors, "test").rows
        self._threshold = run.threshold
        self._networks = Lock()  # one decode at a time: several would only share the processor
        self.png = lru_cache(KEPT_PICTURES)(self._png)
        self.codes = lru_cache(KEPT_CODES)(self._codes)

    def rows(self, modality: Modality, identity: int | None = None) -> Sequence[int]:
        """The pictures of one modality, of one person or of all."""
        rows = self.run.rows(modality)
        chosen = rows if identity is None else rows[self.run.samples.identities[rows] == identity]
        return chosen.tolist()

    def words(self, row: int) -> str:
        """A picture's known facts, as `person 7, camera 2, infrared`."""
        samples = self.run.samples
        return f"person {samples.identity(row)}, camera {samples.camera(row)}, {samples.modality(row)}"

    def search(self, row: int) -> Ranking:
        """The other modality's pictures, ranked for one of the run's pictures."""
        samples = self.run.samples
        identity = int(samples.identities[row]) if samples.known[row] else None
        return self._ranked(self._descriptors[row], samples.modality(row), identity)

    @property
    def marks(self) -> str:
        """In words, from which cosine on a hit is likely of the person; nothing without a threshold."""
        t = self._threshold
        return "" if t is None else f"likely from cosine {t.similarity:.3f} on, stranger below {t.stranger_below:.3f}"

    def search_upload(self, picture: Array, modality: Modality) -> Ranking:
        """The other modality's pictures, ranked for a picture uint8 (H, W, 3) of someone unknown."""
        with self._networks:
            descriptor = self.run.model.embed(picture[None], modality)[0]
        return self._ranked(descriptor, modality, None)

    def opened(self, content: bytes) -> Array:
        """A file's content as a picture uint8 (H, W, 3) of the run's size. Raises UserError for what is none."""
        data = self.run.config.data
        try:
            return fitted(content, data.height, data.width, data.sixteen_bit)
        except BadPictureError as error:
            raise UserError(f"the picture {error.told('choose another one')}") from error

    def mixed(self, a: int, b: int, mixture: Mixture) -> Array:
        """G of codes between those of two pictures -> uint8 (H, W, 3); `Mixture()` is A's own reconstruction."""
        layout = self.run.model.layout
        with self._networks:
            (p_a, a_a), (p_b, a_b) = self.codes(a), self.codes(b)
            style, pose, illumination = (between(a_a, a_b, share) for share in mixture[1:])
            attributes = np.asarray(layout.combine(style=style, pose=pose, illumination=illumination))
            return denormalise(self.run.model.decode(between(p_a, p_b, mixture.prototype), attributes)[0])

    def _ranked(self, descriptor: Array, modality: Modality, identity: int | None) -> Ranking:
        rows = self.run.rows(other(modality))
        similarities = self._descriptors[rows] @ descriptor
        order = np.argsort(-similarities, kind="stable")
        found, values = rows[order], similarities[order].tolist()
        marks = [self._threshold and self._threshold.mark(value) for value in values]
        if identity is None:
            best = zip(found.tolist(), values, marks, strict=True)
            return Ranking([Hit(row, similarity, None, mark) for row, similarity, mark in best])
        right = self.run.samples.identities[found] == identity
        hits = [Hit(*one) for one in zip(found.tolist(), values, right.tolist(), marks, strict=True)]
        ranks = np.flatnonzero(right) + 1
        if not len(ranks):
            return Ranking(hits)
        return Ranking(hits, int(ranks[0]), float(np.mean(np.arange(1, len(ranks) + 1) / ranks)))

    def _codes(self, row: int) -> Codes:
        """Prototype (1, H/4, W/4, C) and attributes (1, D) by the encoders of the picture's own modality."""
        return self.run.model.encode(self.run.pictures(np.array([row])), self.run.samples.modality(row))

    def _png(self, row: int) -> bytes:
        """A picture in the size in which the networks see it. Raises IndexError where there is no such row."""
        if not 0 <= row < len(self.run.samples):
            raise IndexError(row)
        return as_png(self.run.pictures(np.array([row]))[0])


def between(a: Array, b: Array, share: float) -> Array:
    """From a at share 0 to b at share 1, both exactly."""
    return ((1 - share) * a + share * b).astype(a.dtype)
