"""Who is looked up among whom, and by which rules a ranking is judged.

Which gallery pictures a query may not see, and what CMC counts, differs from protocol to protocol (`PROTOCOLS`).
Queries and galleries of a data set's published tables are chosen by its object (`sources`), from the pieces here.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from hicmd_tf.data.labels import named
from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError, some
from hicmd_tf.notation import INFRARED, VISIBLE, Modality

Array = np.ndarray[Any, Any]
ProtocolName = Literal["regdb", "sysu", "llcm", "market1501"]

NOBODY = "no query is of a known person, all identities are negative: say whom the pictures show"
ADVICE = "call the visible and the infrared camera by two names, unless they are one"
LISTED = 9  # cameras that a line names


class Protocol(NamedTuple):
    """The field's rules for one data set's rankings.

    hides: gallery pictures that a query may not see; "shared place": all by camera 2 from a query by camera 3, which
        stand in one place (SYSU-MM01's cameras), whoever they show; "own camera": those of its identity by its camera.
    cmc_over: "pictures", a hit at k when the first match is among the first k pictures; "identities", when its identity
        is among the first k distinct ones. AP and INP count pictures under either.
    """

    hides: Literal["nothing", "shared place", "own camera"]
    cmc_over: Literal["pictures", "identities"]


PROTOCOLS: dict[ProtocolName, Protocol] = {
    "regdb": Protocol("nothing", "pictures"),
    "sysu": Protocol("shared place", "identities"),
    "llcm": Protocol("own camera", "identities"),
    "market1501": Protocol("own camera", "pictures"),
}

SHARED_PLACE = 3, 2
"""Camera of the query, camera that is hidden from it."""


def protocol(name: str) -> Protocol:
    """The rules by name. Raises UserError on another name."""
    if name not in PROTOCOLS:
        raise UserError(f"protocol is {name!r}: expected one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]  # type: ignore[index]  # looked up a line above


class Direction(NamedTuple):
    """Which modality asks, and which is looked through."""

    query: Modality
    gallery: Modality

    def __str__(self) -> str:
        return f"{self.query}_to_{self.gallery}"


DIRECTIONS = Direction(VISIBLE, INFRARED), Direction(INFRARED, VISIBLE)


class Search(NamedTuple):
    """Queries and galleries of one row of a table.

    setting: what to call it. queries: rows (Q,) of the samples. galleries: rows (G,) of the samples, one array for each
    trial; figures are means over them. beside: pictures of the query's modality that are chosen as the galleries are,
    one array for each; empty where a gallery is all of a modality.
    """

    setting: str
    direction: Direction
    protocol: ProtocolName
    queries: Array
    galleries: list[Array]
    beside: Sequence[Array] = ()


def asking(samples: Samples, modality: Modality) -> Array:
    """Rows of the queries of a modality: pictures of known people."""
    return np.flatnonzero((samples.infrared == (modality == INFRARED)) & samples.known)


def all_against_all(samples: Samples, rules: ProtocolName) -> Iterator[Search]:
    """A search in each direction: every picture of one modality, looked up among all of the other."""
    for direction in DIRECTIONS:
        gallery = np.flatnonzero(samples.infrared == (direction.gallery == INFRARED))
        yield Search("all pictures", direction, rules, asking(samples, direction.query), [gallery])


def one_each(samples: Samples, among: Array, trial: int) -> Array:
    """A gallery of one picture for each identity and camera, in this order: random.seed(trial), then random.choice.

    Args:
        samples: sorted by name, as the files are that other code draws from.
        among: (N,) bool, the pictures to choose from.
        trial: 0 to 9.
    """
    draws = random.Random(trial)
    keys = list(zip(samples.identities.tolist(), samples.cameras.tolist(), strict=True))
    of: dict[tuple[int, int], list[int]] = {}
    for row in np.flatnonzero(among & samples.known).tolist():
        of.setdefault(keys[row], []).append(row)
    chosen = np.array([draws.choice(of[key]) for key in sorted(of)], np.int64)
    return np.concatenate([chosen, strangers(samples, among)])


def strangers(samples: Samples, among: Array) -> Array:
    """Rows of unknown people, each of whom may be another: all of them are in a gallery, after those who are known."""
    return np.flatnonzero(among & ~samples.known)


class Hidden(NamedTuple):
    """Matches that a search's rules hide from their queries, where one camera took pictures of both modalities.

    some: how many queries lose some of their matches, lost: how many lose all. words: which cameras hide how many;
    empty for none.
    """

    some: int
    lost: int
    words: str


def refuse_hidden(samples: Samples, search: Search) -> Hidden:
    """The matches that the rules of a search hide, in its first gallery. Raises UserError when no query keeps one."""
    queries, gallery = search.queries, search.galleries[0]
    gallery = gallery[samples.infrared[gallery] == (search.direction.gallery == INFRARED)]  # the others are no matches
    people = np.unique(samples.identities, return_inverse=True)[1]
    both = np.unique(np.stack([people, samples.cameras]), axis=1, return_inverse=True)[1].ravel()
    matches, own = (np.bincount(of[gallery], minlength=len(samples) + 1)[of[queries]] for of in (people, both))
    hiding = queries[own > 0]
    if protocol(search.protocol).hides != "own camera" or not len(hiding):
        return Hidden(0, 0, "")
    lost, matched = int(np.sum(own[own > 0] == matches[own > 0])), np.count_nonzero(matches)
    names = list(named(samples.cameras[hiding], samples.texts).values())
    words = (
        f"camera{'s' if len(names) > 1 else ''} {some(names, LISTED)} took pictures of one person in both modalities, "
        f"and a query sees none of its person by its own camera: of {matched:,} {search.direction.query} queries "
        f"{lost:,} lose all of their matches and count nowhere, {len(hiding) - lost:,} lose some; {ADVICE}"
    )
    if lost == matched:
        raise UserError(f"no query has a match that it may see: {words}")
    return Hidden(len(hiding), lost, words)
