"""Tracks as queries and gallery entries, against loops over their pictures, and cases by hand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hicmd_tf.commands.evaluate import main as evaluate_command
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import PROTOCOLS, ProtocolName, all_against_all
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval.evaluation import Row, evaluate
from hicmd_tf.retrieval.stored import write_descriptors
from hicmd_tf.retrieval.tracks import Groups, Pool, closest, evaluate_tracks, in_words, mean_descriptors, track_counts

Array = np.ndarray


def samples_of(identities: list[int], infrared: list[bool], cameras: list[int], tracks: list[int]) -> Samples:
    of = (np.array(identities), np.array(infrared, bool), np.array(cameras))
    names = [f"{row:03}" for row in range(len(identities))]
    return Samples([b""] * len(names), names, *of, tracks=np.array(tracks))


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Array, Samples]:
    """People by cameras in both modalities, in tracks of one to four pictures, some of none, some of unknown people."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows: list[tuple[int, bool, int, int]] = []
    for number in range(draw(st.integers(1, 8))):
        person, infrared = rng.integers(-1, 3), bool(rng.integers(2))
        camera = int(rng.integers(1, 4))
        track = int(number if rng.random() < 0.8 else -1)
        rows += [(int(person), infrared, camera, track)] * int(rng.integers(1, 5))
    rows += [(0, False, 1, 100), (0, True, 2, -1), (0, True, 2, 101), (0, False, 1, 100)]
    order = rng.permutation(len(rows))
    samples = samples_of(*map(list, zip(*(rows[row] for row in order), strict=True)))
    return rng.standard_normal((len(rows), 5)) * rng.uniform(0.1, 9, (len(rows), 1)), samples


def entries(samples: Samples) -> list[list[int]]:
    """Each track's pictures, in the order of the first; a picture in none is one of its own."""
    found: dict[object, list[int]] = {}
    for row, track in enumerate(samples.tracks.tolist()):
        found.setdefault(track if track >= 0 else ("alone", row), []).append(row)
    return list(found.values())


def similarity(one: list[int], other: list[int], descriptors: Array, pool: Pool) -> float:
    unit = [row / np.sqrt(sum(x * x for x in row)) for row in descriptors]
    if pool == "best":
        return max(sum(unit[a] * unit[b]) for a in one for b in other)
    means = [sum(unit[row] for row in of) / len(of) for of in (one, other)]
    return float(sum(means[0] * means[1]) / np.sqrt(sum(means[0] ** 2) * sum(means[1] ** 2)))


def hides(protocol: ProtocolName, query: tuple[int, int], entry: tuple[int, int]) -> bool:
    rule = PROTOCOLS[protocol].hides
    return (rule == "shared place" and (query[1], entry[1]) == (3, 2)) or (rule == "own camera" and query == entry)


def naive(
    samples: Samples, descriptors: Array, protocol: ProtocolName, pool: Pool, whole: bool, infrared: bool
) -> dict:
    """Rank-1, rank-10, mAP and mINP of one direction. whole: whether tracks ask. infrared: whether infrared ones do."""
    identity, camera = samples.identities.tolist(), samples.cameras.tolist()
    asking = entries(samples) if whole else [[row] for row in range(len(samples))]
    held = [of for of in entries(samples) if samples.infrared[of[0]] != infrared]
    figures = []
    for query in asking:
        q = (identity[query[0]], camera[query[0]])
        if samples.infrared[query[0]] != infrared or q[0] < 0:
            continue
        seen = [of for of in held if not hides(protocol, q, (identity[of[0]], camera[of[0]]))]
        seen.sort(key=lambda of: -similarity(query, of, descriptors, pool))
        people = [identity[of[0]] if identity[of[0]] >= 0 else ("nobody", of[0]) for of in seen]
        hits = [rank for rank, one in enumerate(people, 1) if one == q[0]]
        if hits:
            counted = list(dict.fromkeys(people)) if PROTOCOLS[protocol].cmc_over == "identities" else people
            first = 1 + counted.index(q[0])
            precision = sum(n / rank for n, rank in enumerate(hits, 1)) / len(hits)
            figures.append((first == 1, first <= 10, precision, len(hits) / hits[-1]))
    return dict(zip(("rank1", "rank10", "mAP", "mINP"), np.mean(figures, axis=0), strict=True)) if figures else {}


@given(scenes(), st.sampled_from([*PROTOCOLS]), st.sampled_from(["mean", "best"]))
def test_figures_are_those_of_loops_over_pictures(
    scene: tuple[Array, Samples], protocol: ProtocolName, pool: Pool
) -> None:
    descriptors, samples = scene
    rows = evaluate_tracks(descriptors, samples, all_against_all(samples, protocol), pool)
    words = "mean" if pool == "mean" else "best pair"
    assert [row.setting for row in rows] == [f"{of} to track, {words}" for of in ("picture",) * 2 + ("track",) * 2]
    for row in rows:
        whole, infrared = row.setting.startswith("track"), row.direction.startswith("infrared")
        expected = naive(samples, descriptors, protocol, pool, whole, infrared)
        assert {name: row.mean[name] for name in expected} == pytest.approx(expected, abs=1e-9)


@given(scenes(), st.sampled_from([*PROTOCOLS]), st.sampled_from(["mean", "best"]))
def test_where_each_picture_is_its_own_track_tracks_have_the_figures_of_pictures(
    scene: tuple[Array, Samples], protocol: ProtocolName, pool: Pool
) -> None:
    descriptors, samples = scene
    alone = replace(samples, tracks=np.arange(len(samples)))
    searches = list(all_against_all(samples, protocol))
    pictures = evaluate(descriptors, alone, searches)
    for row, same in zip(evaluate_tracks(descriptors, alone, searches, pool), pictures * 2, strict=True):
        assert row.mean == pytest.approx(same.mean, abs=1e-9) and row.chance == same.chance
        assert (row.queries, row.unanswered, row.people) == (same.queries, same.unanswered, same.people)


def by_hand() -> tuple[Array, Samples]:
    """A query at 0 degrees. Person 1's track has one picture like it and one far off, person 2's two nearby."""
    degrees = np.radians([0, 0, 80, 20, 20])
    descriptors = np.stack([np.cos(degrees), np.sin(degrees)], 1)
    return descriptors, samples_of([1, 1, 1, 2, 2], [True, *[False] * 4], [9, 1, 1, 2, 2], [-1, 1, 1, 2, 2])


def one_way(rows: list[Row], setting: str) -> Row:
    return next(row for row in rows if row.setting.startswith(setting) and row.direction == "infrared_to_visible")


def test_the_mean_is_far_where_one_picture_is_and_the_best_pair_is_not() -> None:
    descriptors, samples = by_hand()
    searches = [search for search in all_against_all(samples, "market1501") if search.direction.query == "infrared"]
    mean, best = (
        one_way(evaluate_tracks(descriptors, samples, searches, pool), "picture") for pool in ("mean", "best")
    )
    assert (mean.mean["rank1"], mean.mean["mAP"], mean.mean["mINP"]) == (0, 0.5, 0.5)
    assert (best.mean["rank1"], best.mean["mAP"], best.mean["mINP"]) == (1, 1, 1)


def test_a_track_by_the_query_s_own_camera_is_hidden_whole() -> None:
    descriptors, samples = by_hand()
    cameras = samples.cameras.copy()
    cameras[0] = 1
    with pytest.raises(UserError, match="no query has a match that it may see"):
        evaluate_tracks(descriptors, replace(samples, cameras=cameras), all_against_all(samples, "market1501"))


def test_a_mean_is_of_directions_and_has_length_1() -> None:
    found = mean_descriptors(np.array([[2.0, 0], [0, 9], [0, -3]]), Groups.of(np.array([5, 5, 3])))
    np.testing.assert_allclose(found, [[np.sqrt(0.5), np.sqrt(0.5)], [0, -1]])
    distances = closest(np.array([[2.0, 0], [0, 9], [3, 3]]), [np.array([0]), np.array([1, 0])], [np.array([2, 1])])
    np.testing.assert_allclose(distances, [[-np.sqrt(0.5)], [-1]])


def test_groups_are_in_the_order_of_their_first_pictures() -> None:
    groups = Groups.of(np.array([7, -1, 7, 2, -1]))
    assert [of.tolist() for of in groups.members()] == [[0, 2], [1, 4], [3]] and groups.first.tolist() == [0, 1, 3]


def test_without_tracks_there_is_nothing_to_say_and_other_pools_are_refused() -> None:
    descriptors, samples = by_hand()
    plain = replace(samples, tracks=np.full(5, -1))
    searches = list(all_against_all(samples, "regdb"))
    assert evaluate_tracks(descriptors, plain, searches) == [] and track_counts(plain, "mean") == {}
    assert in_words(track_counts(samples, "best")) == (
        "2 tracks of 4 pictures, compared by their most similar pictures (best); in none, and so tracks of one: 1"
    )
    with pytest.raises(UserError, match="pool is 'max': expected mean or best"):
        evaluate_tracks(descriptors, samples, searches, "max")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="re-ranking takes descriptors"):
        evaluate_tracks(descriptors, samples, searches, "best", rerank=True)


def test_anyone_s_descriptors_may_have_tracks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    descriptors, samples = by_hand()
    write_descriptors(tmp_path / "d.npz", descriptors, samples)
    ask = ["--descriptors", str(tmp_path / "d.npz"), "--data", "folder"]
    for pool, rank in ((["--pool", "best"], 1.0), ([], 0.0)):
        evaluate_command([*ask, *pool])
        printed = capsys.readouterr().out
        assert "picture to track, " in printed and "2 tracks of 4 pictures, compared by " in printed
        rows = json.loads((tmp_path / "evaluation.json").read_text())["rows"]
        settings = [row["setting"] for row in rows]
        assert settings[:2] == ["all pictures"] * 2 and len(rows) == 10
        assert one_way([Row(**row) for row in rows], "picture").mean["rank1"] == rank
        for file in ("evaluation.csv", "evaluation.md"):
            assert settings[-1] in (tmp_path / file).read_text()
    evaluate_command([*ask, "--rerank"])
    assert "track to track, mean, re-ranked" in capsys.readouterr().out
    write_descriptors(tmp_path / "d.npz", descriptors, replace(samples, tracks=np.full(5, -1)))
    evaluate_command(ask)
    assert "track" not in capsys.readouterr().out and "track" not in (tmp_path / "evaluation.json").read_text()
    with pytest.raises(UserError, match="--pool says how tracks are compared, and no picture of the test is in one"):
        evaluate_command([*ask, "--pool", "mean"])
    with pytest.raises(UserError, match="--rerank takes descriptors"):
        evaluate_command([*ask, "--pool", "best", "--rerank"])
