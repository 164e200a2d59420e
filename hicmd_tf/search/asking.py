"""The usual searches in a gallery: the same person as seen by the other modality, and not the query itself.

Several pictures may be one query, and people or tracks be found instead of pictures; `retrieval.tracks` says what then
is similar.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from hicmd_tf.errors import UserError
from hicmd_tf.notation import MODALITIES, other
from hicmd_tf.retrieval.threshold import Threshold
from hicmd_tf.retrieval.tracks import POOLS, Groups, Pool, mean_descriptors
from hicmd_tf.search.entries import Entry, Hit, Selection, checked, refuse_apart, refuse_unknown
from hicmd_tf.search.gallery import Gallery
from hicmd_tf.search.milvus import MilvusGallery

Array = np.ndarray[Any, Any]
Store = Gallery | MilvusGallery
Among = Literal["other", "same", "both"]
By = Literal["person", "track"]

AS_GOOD_AS_EQUAL = 1 - 1e-4
"""The cosine between two descriptions of one picture, in batches or on machines of different kinds."""
CHUNK = 1 << 13  # descriptors that are multiplied at a time

Sequences = set[tuple[str, str]]


class Answer(NamedTuple):
    """hits: the ranked list. left_out: pictures of the gallery that are the query itself, or of its track, and would
    stand in it. among: pictures of which modality were searched; None: of both."""

    hits: list[Hit]
    left_out: list[Entry]
    among: str | None


class Query(NamedTuple):
    """What is looked for: descriptors (R, D) of one picture or several, and what is known of each. own: tracks of the
    gallery that its pictures are of."""

    descriptors: Array
    entries: list[Entry]
    own: Sequences


def look_up(
    store: Store,
    descriptors: Array,
    queries: Sequence[Entry],
    k: int,
    selection: Selection = Selection(),  # noqa: B008 (frozen)
    among: Among = "other",
    itself: bool = False,
    threshold: Threshold | None = None,
    together: bool = False,
    group_by: By | None = None,
    pool: Pool = "mean",
) -> list[Answer]:
    """The most similar pictures for each query, best first; or people, or tracks.

    Args:
        store: the gallery.
        descriptors: (Q, D).
        queries: what is known of each; its modality says which is the other one.
        k: how many to find, at least 1.
        selection: which pictures of the gallery; its modality, where given, takes the place of `among`.
        among: pictures of the other modality (cross-modality search), the same, or both.
        itself: whether pictures that are the query itself stay, and others of its track: the same file, another file of
            the same content and modality, or one whose path ends in the query's, or the other way round, described
            alike (a file of descriptors names pictures by their path below a folder).
        threshold: of the model that described, by which hits are marked; not what stands for several pictures, for it
            was chosen on pairs.
        together: whether all pictures are one query, of one modality.
        group_by: person or track: each once. Somebody unknown is found by tracks, and a picture of no track is one.
        pool: how several pictures are compared, of a query and of a group: by their mean descriptor, or their best
            pair.

    Returns:
        One answer for each query; one alone where all are together.

    Raises:
        UserError: for descriptors that are none, k out of range, together pictures of two modalities or people,
            people and cameras to select that the gallery lacks, and groups by what no selected picture of it has.
    """
    if not 1 <= k <= store.most:
        raise UserError(f"k is {k}, expected 1 to {store.most}: how many pictures to find")
    if len(descriptors) != len(queries):
        raise UserError(f"there are {len(descriptors)} descriptors for {len(queries)} queries, expected one each")
    for name, given, known in (("group_by", group_by, (None, *get_args(By))), ("pool", pool, POOLS)):
        if given not in known:
            raise UserError(f"{name} is {given!r}: expected {' or '.join(map(repr, known))}")
    if together:
        refuse_apart({query.identity: query.who for query in queries}, {query.modality for query in queries})
    refuse_unknown(store, selection)
    sets = [[*range(len(queries))]] if together and queries else [[row] for row in range(len(queries))]
    asked = [selection.modality or _searched(queries[rows[0]].modality, among) for rows in sets]
    seen = not itself and any(m in (None, queries[rows[0]].modality) for m, rows in zip(asked, sets, strict=True))
    held = store.held([path for query in queries for path in _paths(query)]) if seen else {}
    of = [_query(np.asarray(descriptors)[rows], [queries[row] for row in rows], held) for rows in sets]
    found: dict[int, Answer] = {}
    for modality in (*MODALITIES, None):
        rows = [row for row, one in enumerate(asked) if one == modality]
        if rows:
            chosen, asking = replace(selection, modality=modality), [of[row] for row in rows]
            if group_by is None and not together:
                answers = _asked(store, asking, k, chosen, itself)
            else:
                answers = _grouped(store, asking, k, chosen, itself, group_by, pool)
            found |= dict(zip(rows, answers, strict=True))
    if together or group_by is not None:
        threshold = None
    return [
        found[row]._replace(hits=[hit.marked(query.entries[0], threshold) for hit in found[row].hits])
        for row, query in enumerate(of)
    ]


def _query(descriptors: Array, entries: list[Entry], held: dict[str, Entry]) -> Query:
    """A query of some pictures. held: what a gallery has of their paths."""
    there = [held[path] for entry in entries for path in _paths(entry) if path in held]
    return Query(descriptors, entries, {one.sequence for one in (*entries, *there) if one.sequence})


def _paths(entry: Entry) -> list[str]:
    """By which a gallery may have a picture."""
    return [*dict.fromkeys((entry.path, os.path.realpath(entry.path)))] if entry.path else []


def _searched(modality: Any, among: Among) -> str | None:
    return {"same": modality, "other": other(modality), "both": None}[among]


def _asked(store: Store, queries: Sequence[Query], k: int, selection: Selection, itself: bool) -> list[Answer]:
    """Single pictures, by the store's own search."""
    descriptors = np.concatenate([query.descriptors for query in queries])
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


def _without_itself(query: Query, hits: Sequence[Hit], k: int, selection: Selection) -> Answer:
    """The first k that are not the query, or of its track, and what was passed over before them."""
    answer = Answer([], [], selection.modality)
    own = _own(query, [hit.entry for hit in hits], np.array([[hit.similarity for hit in hits]]))
    for hit, itself in zip(hits, own, strict=True):
        if itself:
            answer.left_out.append(hit.entry)
        else:
            answer.hits.append(hit)
        if len(answer.hits) == k:
            break
    return answer


def _own(query: Query, entries: Sequence[Entry], similarities: Array) -> list[bool]:
    """Which pictures are the query's, or of its tracks. similarities: (R, N), of its pictures to each of them."""
    itself = [False] * len(entries)
    for one, of in zip(query.entries, similarities, strict=True):
        paths = _paths(one)
        alike = (of >= AS_GOOD_AS_EQUAL).tolist()
        itself = [
            same or entry.path in paths or _same_picture(one, entry, like)
            for same, entry, like in zip(itself, entries, alike, strict=True)
        ]
    tracks = query.own | {entry.sequence for entry, same in zip(entries, itself, strict=True) if same}
    return [own or (entry.track != "" and entry.sequence in tracks) for own, entry in zip(itself, entries, strict=True)]


def _same_picture(query: Entry, entry: Entry, alike: bool) -> bool:
    """Whether content, or name and description, say that another path is the query's picture."""
    named = entry.path.endswith(f"/{query.path}") or query.path.endswith(f"/{entry.path}")
    return entry.modality == query.modality and ((alike and named) or "" != query.digest == entry.digest)


def _grouped(
    store: Store, queries: Sequence[Query], k: int, selection: Selection, itself: bool, by: By | None, pool: Pool
) -> list[Answer]:
    """Several pictures as one, of a query or of the gallery, whose selected pictures are all compared."""
    rows, entries = store.selected(selection)
    if not entries:
        return [Answer([], [], selection.modality) for _ in queries]
    labels = _labels(entries, by)
    groups = Groups.of(labels)
    members, means = groups.members(), mean_descriptors(rows, groups) if pool == "mean" else None
    answers = []
    for query in queries:
        asked = checked(query.descriptors, rows.shape[1])
        pairs, one = _products(asked, rows), _alone(asked)
        own = np.zeros(len(rows), bool) if itself else np.array(_own(query, entries, pairs))
        each = pairs.max(axis=0) if means is None else _products(one, rows)[0]
        each[own] = -np.inf
        left = [of[~own[of]] for of in members]
        if means is None:
            scores = np.maximum.reduceat(each[groups.rows], groups.starts)
        else:
            scores = _products(one, means)[0]
            for group in np.unique(labels[own]):  # whose mean is another without the query
                some = left[group]
                scores[group] = _products(one, _alone(rows[some]))[0, 0] if len(some) else -np.inf
        hits = [
            Hit(float(scores[group]), entries[left[group][each[left[group]].argmax()]], pictures=len(left[group]))
            for group in np.argsort(-scores, kind="stable")[:k].tolist()
            if len(left[group])
        ]
        answers.append(Answer(hits, [entries[row] for row in np.flatnonzero(own)], selection.modality))
    return answers


def _alone(descriptors: Array) -> Array:
    """The mean descriptor (1, D) of some (N, D)."""
    return mean_descriptors(descriptors, Groups.of(np.zeros(len(descriptors), np.int64)))


def _labels(entries: Sequence[Entry], by: By | None) -> Array:
    """The group of each picture (N,), numbered in the order of their first ones. Raises UserError where no picture has
    what it goes by."""
    known = [by == "person" and entry.identity >= 0 for entry in entries]
    if by is not None and not any(known) and not any(entry.track for entry in entries):
        what = "is of a known person, or of a track" if by == "person" else "has a track"
        raise UserError(
            f"no picture that is searched {what}: index a folder whose pictures.csv, or a pattern, says so, or group "
            "otherwise"
        )
    numbers: dict[object, int] = {}
    return np.array(
        [
            numbers.setdefault(entry.identity if person else (by and entry.sequence) or (row,), len(numbers))
            for row, (entry, person) in enumerate(zip(entries, known, strict=True))
        ]
    )


def _products(queries: Array, rows: Array) -> Array:
    """Cosines (Q, N) of rows of length 1, in float64, each computed alone, so that equal rows have equal ones."""
    found = np.empty((len(queries), len(rows)))
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK].astype(np.float64)
        for number, query in enumerate(queries.astype(np.float64)):
            found[number, start : start + CHUNK] = (some * query).sum(axis=1)
    return found
