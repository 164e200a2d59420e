"""The usual searches in a gallery: the same person as seen by the other modality, and not the query itself."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np

from hicmd_tf.errors import UserError
from hicmd_tf.notation import MODALITIES, other
from hicmd_tf.retrieval.threshold import Threshold
from hicmd_tf.search.entries import Entry, Hit, Selection
from hicmd_tf.search.gallery import Gallery
from hicmd_tf.search.milvus import MilvusGallery

Array = np.ndarray[Any, Any]
Store = Gallery | MilvusGallery
Among = Literal["other", "same", "both"]

AS_GOOD_AS_EQUAL = 1 - 1e-4
"""The cosine between two descriptions of one picture, in batches or on machines of different kinds."""


class Answer(NamedTuple):
    """hits: the ranked list. left_out: pictures of the gallery that are the query itself, and would stand in it. among:
    pictures of which modality were searched; None: of both."""

    hits: list[Hit]
    left_out: list[Entry]
    among: str | None


def look_up(
    store: Store,
    descriptors: Array,
    queries: Sequence[Entry],
    k: int,
    selection: Selection = Selection(),  # noqa: B008 (frozen)
    among: Among = "other",
    itself: bool = False,
    threshold: Threshold | None = None,
) -> list[Answer]:
    """The most similar pictures for each query, best first.

    Args:
        store: the gallery.
        descriptors: (Q, D).
        queries: what is known of each; its modality says which is the other one.
        k: how many to find, at least 1.
        selection: which pictures of the gallery; its modality, where given, takes the place of `among`.
        among: pictures of the other modality (cross-modality search), the same, or both.
        itself: whether pictures that are the query itself stay: the same file, another file of the same content and
            modality, or one whose path ends in the query's, or the other way round, described alike (a file of
            descriptors names pictures by their path below a folder).
        threshold: of the model that described, by which hits are marked.

    Raises:
        UserError: for descriptors that are none, and k out of range.
    """
    if not 1 <= k <= store.most:
        raise UserError(f"k is {k}, expected 1 to {store.most}: how many pictures to find")
    if len(descriptors) != len(queries):
        raise UserError(f"there are {len(descriptors)} descriptors for {len(queries)} queries, expected one each")
    asked = [selection.modality or _searched(query.modality, among) for query in queries]
    found: dict[int, Answer] = {}
    for modality in (*MODALITIES, None):
        rows = [row for row, one in enumerate(asked) if one == modality]
        if rows:
            chosen = replace(selection, modality=modality)
            answers = _asked(store, np.asarray(descriptors)[rows], [queries[row] for row in rows], k, chosen, itself)
            found |= dict(zip(rows, answers, strict=True))
    return [
        found[row]._replace(hits=[hit.marked(query, threshold) for hit in found[row].hits])
        for row, query in enumerate(queries)
    ]


def _searched(modality: Any, among: Among) -> str | None:
    return {"same": modality, "other": other(modality), "both": None}[among]


def _asked(
    store: Store, descriptors: Array, queries: Sequence[Entry], k: int, selection: Selection, itself: bool
) -> list[Answer]:
    if itself:
        return [Answer(hits, [], selection.modality) for hits in store.search(descriptors, k, selection)]
    wanted = k + 1
    while True:
        wanted = min(wanted, store.most)
        found = store.search(descriptors, wanted, selection)
        answers = [_without_itself(query, hits, k, selection) for query, hits in zip(queries, found, strict=True)]
        enough = all(len(a.hits) == k or len(hits) < wanted for a, hits in zip(answers, found, strict=True))
        if enough or wanted == store.most:
            return answers
        wanted *= 2  # a query with so many copies of itself


def _without_itself(query: Entry, hits: Sequence[Hit], k: int, selection: Selection) -> Answer:
    """The first k that are not the query, and what was passed over before them."""
    paths = {query.path, os.path.realpath(query.path)}
    answer = Answer([], [], selection.modality)
    for hit in hits:
        if hit.entry.path in paths or _same_picture(query, hit):
            answer.left_out.append(hit.entry)
        else:
            answer.hits.append(hit)
        if len(answer.hits) == k:
            break
    return answer


def _same_picture(query: Entry, hit: Hit) -> bool:
    """Whether content, or name and description, say that another path is the query's picture."""
    entry = hit.entry
    named = entry.path.endswith(f"/{query.path}") or query.path.endswith(f"/{entry.path}")
    alike = named and hit.similarity >= AS_GOOD_AS_EQUAL
    return entry.modality == query.modality and (alike or "" != query.digest == entry.digest)
