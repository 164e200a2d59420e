"""Matches that the rule of one's own folders hides, where one camera took pictures of both modalities."""

from pathlib import Path

import drawn_trees as trees
import numpy as np
import pytest

from hicmd_tf.commands import main as hicmd
from hicmd_tf.data.labels import number, texts_of
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import hidden
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval.evaluation import evaluate
from hicmd_tf.retrieval.report import as_text

GATE = number("gate")


def samples(rows: list[tuple[int, int, bool]]) -> Samples:
    """(identity, camera, infrared) of each."""
    identities, cameras, infrared = (np.array(column) for column in zip(*rows, strict=True))
    names = [f"{place:02d}" for place in range(len(rows))]
    return Samples([b""] * len(rows), names, identities, infrared, cameras, texts=texts_of(["gate"]))


MIXED = samples(
    [
        *((1, GATE, infrared) for infrared in (False, True)),  # loses all, in both directions
        *((2, 3, False), (2, 3, True), (2, 4, True)),  # the visible one loses one of two, one infrared one loses all
        *((3, 5, False), (3, 6, True)),  # loses none
        *((4, 7, False), (-1, 7, True)),  # has none
    ]
)


def test_hidden_matches_are_counted_by_query_and_camera() -> None:
    there, back = (hidden(MIXED, search) for search in DATA_SETS["folder"].searches(MIXED))
    assert (there.matched, there.some, there.lost) == (3, 2, 1)
    assert (back.matched, back.some, back.lost) == (4, 2, 2)
    assert there.cameras.tolist() == back.cameras.tolist() == [3, GATE]
    assert there.words(MIXED.texts).startswith("cameras 3, gate took pictures of one person in both modalities")
    assert "of 3 visible queries 1 lose all of their matches and count nowhere, 1 lose some" in there.words(MIXED.texts)
    assert all(hidden(MIXED, search).some == 0 for search in DATA_SETS["regdb"].searches(MIXED))


def test_evaluation_says_which_cameras_hide_matches_and_counts_without_them() -> None:
    descriptors = np.random.default_rng(0).normal(size=(len(MIXED), 4))
    there, back = evaluate(descriptors, MIXED, DATA_SETS["folder"].searches(MIXED))
    assert there.hidden.startswith("cameras 3, gate took pictures") and there.hidden in as_text([there, back])
    assert "2 of 4 queries have no picture of their identity that they may see" in as_text([there])
    assert (there.queries, there.unanswered) == (4, 2) and (back.queries, back.unanswered) == (4, 2)


def test_when_nothing_is_left_one_line_names_the_cameras() -> None:
    one = samples([(1, GATE, False), (1, GATE, True), (2, GATE, False), (2, GATE, True)])
    with pytest.raises(UserError, match="no query has a match that it may see: camera gate took pictures"):
        evaluate(np.eye(4), one, DATA_SETS["folder"].searches(one))


def test_check_says_so_before_anything_is_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = trees.own(tmp_path)
    for file in own.rglob("cam2_*.png"):
        file.rename(file.with_name("cam1_2.png"))
    hicmd(["check", "folder", str(own)])
    said = capsys.readouterr()
    assert "warning: camera 1 took pictures of one person in both modalities" in said.err
    assert "of 4 visible queries 4 lose all of their matches" in said.err and "can be decoded" in said.out
