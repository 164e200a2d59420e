"""Matches that a protocol hides from their queries, where one camera took pictures of both modalities (no TensorFlow).

LLCM's and Market-1501's rules, the latter of which judge people's own folders, hide the gallery pictures of a query's
person by the query's camera. Where a camera's name stands for a visible and an infrared one, these are true matches.
"""

from typing import NamedTuple

import numpy as np

from hicmd_tf.data.labels import Texts, named
from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval.galleries import Array, Search
from hicmd_tf.retrieval.protocols import protocol

ADVICE = "call the visible and the infrared camera by two names, unless they are one"
LISTED = 9  # cameras


class Hidden(NamedTuple):
    """Of a search. cameras: (C,) those whose queries have hidden matches. matched: how many queries have a match in the
    gallery, hidden or not; some: how many of them lose some of theirs, lost: how many lose all."""

    search: Search
    cameras: Array
    matched: int
    some: int
    lost: int

    def words(self, texts: Texts) -> str:
        """Which cameras hide how many matches."""
        names = list(named(self.cameras, texts).values())
        more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        cameras = f"camera{'s' if len(names) > 1 else ''} {', '.join(names[:LISTED])}{more}"
        return (
            f"{cameras} took pictures of one person in both modalities, and a query sees none of its person by its own "
            f"camera: of {self.matched:,} {self.search.direction.query} queries {self.lost:,} lose all of their "
            f"matches and count nowhere, {self.some - self.lost:,} lose some; {ADVICE}"
        )


def hidden(samples: Samples, search: Search) -> Hidden:
    """What the rules of a search hide, in its first gallery."""
    queries, gallery = search.queries, search.galleries[0]
    if protocol(search.protocol).hides != "own camera":
        return Hidden(search, np.empty(0, np.int64), 0, 0, 0)
    cameras = np.unique(samples.cameras, return_inverse=True)[1]
    people = np.unique(samples.identities, return_inverse=True)[1]
    both = people * (cameras.max(initial=0) + 1) + cameras
    matches = np.bincount(people[gallery], minlength=people.max(initial=0) + 1)[people[queries]]
    own = np.bincount(both[gallery], minlength=both.max(initial=0) + 1)[both[queries]]
    return Hidden(
        search,
        np.unique(samples.cameras[queries[own > 0]]),
        int(np.count_nonzero(matches)),
        int(np.count_nonzero(own)),
        int(np.count_nonzero((own > 0) & (own == matches))),
    )


def refuse_hidden(samples: Samples, search: Search) -> Hidden:
    """What the rules hide. Raises UserError when no query keeps a match."""
    found = hidden(samples, search)
    if found.lost and found.lost == found.matched:
        raise UserError(f"no query has a match that it may see: {found.words(samples.texts)}")
    return found
