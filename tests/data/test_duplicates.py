"""The same picture in two places, against a comparison of every pair."""

import itertools
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hicmd_tf.data.duplicates import Seen, digest, reported, seen
from hicmd_tf.data.samples import DataSplits, Samples
from hicmd_tf.notation import MODALITIES


def samples(contents: list[bytes], identities: list[int], name: str) -> Samples:
    zeros = np.zeros(len(contents), np.int64)
    names = [f"{name}_{i}" for i in range(len(contents))]
    return Samples(contents, names, np.array(identities, np.int64), zeros.astype(bool), zeros)


def test_pictures_of_train_held_out_and_test_are_compared() -> None:
    train = samples([b"a", b"b", b"b", b"c"], [1, 1, 1, 2], "train")
    data = DataSplits(train, samples([b"d"], [3], "held"), samples([b"c", b"d", b"e"], [4, 4, 5], "test"))
    assert list(reported(seen(data))) == [
        "train_3 (training) and test_0 (test) are the same picture (2 such pictures): what was trained on can't be "
        "tested, keep it in one split"
    ]


def test_one_picture_in_both_modalities_is_wrong_in_one() -> None:
    train = samples([b"a", b"b", b"a", b"b", b"a"], [1, 1, 1, 1, 1], "train")
    train = replace(train, infrared=np.array([False, False, True, False, True]))
    assert list(reported(seen(DataSplits(train, samples([], [], ""), samples([], [], ""))))) == [
        "train_0 (visible) and train_2 (infrared) of identity 1, both training, are the same picture (2 such "
        "pictures): one camera took it, keep that one"
    ]


def test_one_picture_of_two_people_is_a_label_that_is_wrong() -> None:
    data = DataSplits(
        samples([b"a", b"a"], [1, 2], "train"), samples([], [], ""), samples([b"b", b"b"], [3, 3], "test")
    )
    assert list(reported(seen(data))) == [
        "train_0 of identity 1 and train_1 of identity 2, both training, are the same picture: it shows one of them, "
        "take the other out"
    ]


pictures = st.builds(
    Seen,
    st.sampled_from([digest(b"a"), digest(b"b"), digest(b"c")]),
    st.sampled_from(["train", "test"]),
    st.integers(1, 3).map(str),
    st.just(""),
    st.sampled_from(MODALITIES),
)


@given(st.lists(pictures, max_size=12))
def test_whatever_is_twice_is_found(found: list[Seen]) -> None:
    found = [one._replace(name=str(number)) for number, one in enumerate(found)]
    pairs = [(a, b) for a, b in itertools.combinations(found, 2) if a.digest == b.digest]
    across = {b.name for a, b in pairs if a.split != b.split}
    within = {b.name for a, b in pairs if a.split == b.split and a.identity != b.identity}
    either = {b.name for a, b in pairs if a.place[:2] == b.place[:2] and a.modality != b.modality}
    lines = list(reported(found))
    for number, kind in (
        (len(across), "keep it in one split"),
        (len(within), "take the other out"),
        (len(either), "keep that one"),
    ):
        said = [line for line in lines if kind in line]
        assert len(said) == bool(number)
        assert number < 2 or f"({number} such pictures)" in said[0]
