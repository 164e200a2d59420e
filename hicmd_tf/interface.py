"""The Python interface: a run's model, which also searches galleries."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hicmd_tf.data.labels import UNKNOWN_TEXT, number
from hicmd_tf.data.sources.table import whom
from hicmd_tf.notation import Modality
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.model import Images, Model, restored

if TYPE_CHECKING:
    from hicmd_tf.retrieval.threshold import Threshold
    from hicmd_tf.retrieval.tracks import Pool
    from hicmd_tf.search import Hit, Selection, Store
    from hicmd_tf.search.asking import Among, By


class SearchingModel(Model):
    """`Model`, and `search`."""

    folder: RunFolder

    @cached_property
    def threshold(self) -> "Threshold | None":
        """By which hits are marked; None where the run has none. Raises UserError for a damaged one."""
        return self.folder.threshold(self.step)

    def search(
        self,
        gallery: "str | Path | Store",
        images: Images,
        modality: Modality,
        k: int = 10,
        among: "Among" = "other",
        selection: "Selection | None" = None,
        together: bool = False,
        group_by: "By | None" = None,
        pool: "Pool" = "mean",
    ) -> "list[list[Hit]]":
        """The most similar pictures of a gallery for each of the images, best first; hit.similarity, hit.mark,
        hit.entry.path. Or people or tracks, with hit.pictures of each and the most similar one as hit.entry.

        A picture of the gallery that is the query's file itself is left out, and so are others of its track.

        Args:
            gallery: folder that `hicmd search index` made, or one that is open.
            images: as for `embed`.
            modality: of the images.
            k: how many to find.
            among: pictures of the other modality, the same or both.
            selection: which pictures of the gallery, by person, camera and time; None: all.
            together: whether all images are one query, and so have one list.
            group_by: "person" or "track": each once; None: every picture.
            pool: several pictures of a query or of a group by their "mean" descriptor or by their "best" pair.

        Raises:
            UserError: for a gallery of another model, and as `embed` and `look_up` do.
            ModuleNotFoundError: without the extra `search`.
        """
        from hicmd_tf.search import Entry, Gallery, Selection, look_up
        from hicmd_tf.search.entries import same_model

        store = Gallery.open(Path(gallery)) if isinstance(gallery, str | Path) else gallery
        same_model(store.info(), self.descriptor.digest())
        described = self.embed(images, modality)
        asked = [
            Entry(path, number(person or UNKNOWN_TEXT), 0, modality, 0.0, "", person or "")
            for path in _paths(images, len(described))
            for person in (whom(Path(path), modality)[0] if path else None,)
        ]
        chosen = selection or Selection()
        answers = look_up(store, described, asked, k, chosen, among, False, self.threshold, together, group_by, pool)
        return [answer.hits for answer in answers]


def load(run_folder: str | Path) -> SearchingModel:
    """The model of a run's newest checkpoint. Raises UserError when the folder holds none, or a damaged one."""
    folder = RunFolder(Path(run_folder))
    model = restored(folder, folder.open(), SearchingModel)
    model.folder = folder
    return model


def _paths(images: Any, count: int) -> Sequence[str]:
    """Where each image lies; of arrays nothing is known."""
    given = [images] if isinstance(images, str | Path) else images
    if isinstance(given, np.ndarray):
        return [""] * count
    return [os.path.realpath(one) if isinstance(one, str | Path) else "" for one in given]
