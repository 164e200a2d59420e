"""The same picture in two places, against a comparison of every pair."""

import itertools
import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hicmd_tf.data.duplicates import reported
from hicmd_tf.data.samples import Samples

Row = tuple[bytes, int, bool]


def samples(split: str, rows: list[Row]) -> Samples:
    """Contents, identity and whether it is infrared of each."""
    contents, identities, infrared = zip(*rows, strict=True) if rows else ((), (), ())
    zeros = np.zeros(len(rows), np.int64)
    names = [f"{split}_{place}" for place in range(len(rows))]
    return Samples(contents, names, np.array(identities, np.int64), np.array(infrared, bool), zeros)


def test_lines_name_the_first_pair_and_count_the_pictures() -> None:
    train = [(b"a", 1, False), (b"a", 1, False), (b"b", 2, False), (b"b", 3, False), (b"c", 4, False), (b"c", 4, True)]
    test = [(b"a", 5, False), (b"d", 6, False), (b"a", 5, False)]
    assert reported({"train": samples("train", train), "test": samples("test", test)}) == [
        "train_0 (training) and test_0 (test) are the same picture (2 such pictures): what was trained on can't be "
        "tested, keep it in one split",
        "train_2 of identity 2 and train_3 of identity 3, both training, are the same picture: it shows one of them, "
        "take the other out",
        "train_4 (visible) and train_5 (infrared) of identity 4, both training, are the same picture: one camera took "
        "it, keep that one",
    ]


rows = st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.integers(1, 3), st.booleans()), max_size=6)


@given(rows, rows)
def test_whatever_is_twice_is_found(train: list[Row], test: list[Row]) -> None:
    met = [("train", *row, f"train_{i}") for i, row in enumerate(train)]
    met += [("test", *row, f"test_{i}") for i, row in enumerate(test)]
    pairs = [(a, b) for a, b in itertools.combinations(met, 2) if a[1] == b[1]]
    found = reported({"train": samples("train", train), "test": samples("test", test)})
    for kind, names in {
        "keep it in one split": {b[4] for a, b in pairs if a[0] != b[0]},
        "take the other out": {b[4] for a, b in pairs if a[0] == b[0] and a[2] != b[2]},
        "keep that one": {b[4] for a, b in pairs if a[0] == b[0] and a[2] == b[2] and a[3] != b[3]},
    }.items():
        counts = [re.search(r"\((\d+) such pictures\)", line) for line in found if kind in line]
        assert [int(count[1]) if count else 1 for count in counts] == ([len(names)] if names else [])
