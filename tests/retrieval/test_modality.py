"""Rankings without modality: galleries of both modalities, and descriptors less their modality's mean, against loops
over pictures, and cases by hand."""

import json
from pathlib import Path

import drawn_trees as trees
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hicmd_tf.commands.evaluate import main as evaluate_command
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import DIRECTIONS, PROTOCOLS, ProtocolName, Search, all_against_all, asking
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval.chance import chance
from hicmd_tf.retrieval.evaluation import Row, evaluate, over_trials
from hicmd_tf.retrieval.metrics import score
from hicmd_tf.retrieval.modality import BOTH, LESS, SETTINGS, evaluate_modality, less_means, mixed
from hicmd_tf.retrieval.stored import write_descriptors

Array = np.ndarray
FIGURES = ("rank1", "rank10", "mAP", "mINP")


def samples_of(identities: list[int], infrared: list[bool], cameras: list[int]) -> Samples:
    of = (np.array(identities), np.array(infrared, bool), np.array(cameras))
    names = [f"{row:03}" for row in range(len(identities))]
    return Samples([b""] * len(names), names, *of)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Array, Samples]:
    """People, some unknown, by cameras in both modalities, each of which has a side of its own; one always has a match
    by another camera."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(0, 14))
    people, infrared = [*rng.integers(-1, 4, count), 0, 0, 1], [*(rng.random(count) < 0.5), False, True, True]
    order = rng.permutation(len(people))
    cameras = [*rng.integers(1, 4, count), 1, 4, 4]
    samples = samples_of(*([of[row] for row in order] for of in (people, infrared, cameras)))
    descriptors = rng.standard_normal((len(order), 5)) + rng.uniform(0, 3) * samples.infrared[:, None]
    return descriptors * rng.uniform(0.1, 9, (len(order), 1)), samples


@st.composite
def drawn_searches(draw: st.DrawFn, samples: Samples, protocol: ProtocolName) -> list[Search]:
    """All against all, or some pictures in two galleries and some of the other modality beside each."""
    if draw(st.booleans()):
        return list(all_against_all(samples, protocol))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    found = []
    for direction in DIRECTIONS:
        own = samples.infrared == (direction.query == "infrared")
        galleries, beside = (
            [np.flatnonzero(of)[rng.random(of.sum()) < share] for _ in range(2)]
            for of, share in ((~own, 1), (own, 0.5))
        )
        queries = asking(samples, direction.query)
        found.append(
            Search("some", direction, protocol, queries, [rng.permutation(rows) for rows in galleries], beside)
        )
    return found


def hides(protocol: ProtocolName, query: tuple[int, int], entry: tuple[int, int]) -> bool:
    rule = PROTOCOLS[protocol].hides
    return (rule == "shared place" and (query[1], entry[1]) == (3, 2)) or (rule == "own camera" and query == entry)


def naive_means(descriptors: Array, samples: Samples) -> list[Array]:
    unit = [row / np.sqrt(sum(x * x for x in row)) for row in descriptors]
    found = []
    for row, infrared in zip(unit, samples.infrared, strict=True):
        alike = [other for other, of in zip(unit, samples.infrared, strict=True) if of == infrared]
        moved = row - sum(alike) / len(alike)
        length = np.sqrt(sum(moved * moved))
        found.append(moved / length if length > 1e-12 else np.zeros_like(moved))
    return found


def naive(samples: Samples, descriptors: list[Array], search: Search, both: bool) -> dict[str, float]:
    """Figures of one search. both: whether strangers of the query's modality are in the gallery."""
    person, camera = samples.identities.tolist(), samples.cameras.tolist()
    trials = []
    for number, gallery in enumerate(search.galleries):
        entries = gallery.tolist()
        if both:
            side = samples.infrared[search.queries[0]]
            everything = [row for row in range(len(samples)) if samples.infrared[row] == side]
            entries += search.beside[number].tolist() if len(search.beside) else everything
        figures = []
        for query in search.queries.tolist():
            seen = []
            for row in entries:
                own = samples.infrared[row] == samples.infrared[query]
                if hides(search.protocol, (person[query], camera[query]), (person[row], camera[row])):
                    continue
                if own and person[row] == person[query]:
                    continue
                seen.append(row)
            seen.sort(key=lambda row: -float(sum(descriptors[query] * descriptors[row])))
            people = [person[row] if person[row] >= 0 else ("nobody", row) for row in seen]
            hits = [rank for rank, one in enumerate(people, 1) if one == person[query]]
            if hits:
                counted = list(dict.fromkeys(people)) if PROTOCOLS[search.protocol].cmc_over == "identities" else people
                first = 1 + counted.index(person[query])
                precision = sum(n / rank for n, rank in enumerate(hits, 1)) / len(hits)
                figures.append((first == 1, first <= 10, precision, len(hits) / hits[-1]))
        trials.append(np.mean(figures, axis=0))
    return dict(zip(FIGURES, np.mean(trials, axis=0), strict=True))


@given(scenes(), st.sampled_from([*PROTOCOLS]), st.data())
def test_figures_are_those_of_loops_over_pictures(
    scene: tuple[Array, Samples], protocol: ProtocolName, data: st.DataObject
) -> None:
    descriptors, samples = scene
    searches = data.draw(drawn_searches(samples, protocol))
    rows = evaluate_modality(descriptors, samples, [*searches, *searches])
    assert [row.setting for row in rows] == [BOTH, BOTH, LESS, LESS]
    unit = [row / np.sqrt(sum(row * row)) for row in descriptors]
    moved = naive_means(descriptors, samples)
    for row, search in zip(rows, searches * 2, strict=True):
        both = row.setting == BOTH
        expected = naive(samples, unit if both else moved, search, both)
        assert row.direction == str(search.direction) and row.trials == len(search.galleries)
        assert {name: row.mean[name] for name in FIGURES} == pytest.approx(expected, abs=1e-9)
        assert row.between is not None and row.between["rank1"][0] <= row.mean["rank1"] <= row.between["rank1"][1]
    main = evaluate(descriptors, samples, searches)
    for row, of in zip(rows, main * 2, strict=True):
        assert (row.queries, row.unanswered, row.people) == (of.queries, of.unanswered, of.people)
        assert row.setting == BOTH or row.chance == of.chance


@given(scenes(), st.sampled_from([*PROTOCOLS]))
def test_chance_is_that_of_the_gallery_that_each_query_sees(
    scene: tuple[Array, Samples], protocol: ProtocolName
) -> None:
    _, samples = scene
    for search in all_against_all(samples, protocol):
        (gallery,) = mixed(samples, search)
        own = samples.infrared[gallery] == samples.infrared[search.queries[0]]
        ids, cameras, alone = samples.identities, samples.cameras, []
        for query in search.queries:
            seen = gallery[~(own & (ids[gallery] == ids[query]))]
            try:
                alone.append(chance(ids[[query]], ids[seen], cameras[[query]], cameras[seen], protocol))
            except UserError:  # no match
                continue
        of = ids[search.queries], ids[gallery], cameras[search.queries], cameras[gallery], protocol, own
        assert chance(*of) == pytest.approx({k: np.mean([one[k] for one in alone]) for k in alone[0]}, abs=1e-9)


def by_angle(degrees: list[float], identities: list[int], infrared: list[bool]) -> tuple[Array, Samples]:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], 1), samples_of(identities, infrared, [1 + i for i in infrared])


def figures(rows: list[Row]) -> dict[tuple[str, str], tuple[float, float]]:
    return {(row.setting, row.direction[:3]): (row.mean["rank1"], row.mean["mAP"]) for row in rows}


def test_strangers_of_one_s_own_modality_come_first_where_descriptors_are_of_modality() -> None:
    """Two people 20 degrees apart in each modality, modalities 160 apart: everyone finds the right picture of the
    other, and a stranger of the own first."""
    found = by_angle([80, 100, 280, 260], [1, 2, 1, 2], [False, False, True, True])
    searches = list(all_against_all(found[1], "regdb"))
    assert {row.mean["rank1"] for row in evaluate(*found, searches)} == {1.0}
    rows = evaluate_modality(*found, searches)
    assert figures(rows) == {
        (BOTH, "vis"): (0, 0.5),
        (BOTH, "inf"): (0, 0.5),
        (LESS, "vis"): (1, 1),
        (LESS, "inf"): (1, 1),
    }
    # Of three pictures that a query sees one is right: the stranger is there in both modalities.
    assert rows[0].chance is not None and rows[0].chance["rank1"] == pytest.approx(1 / 3)


def test_the_own_person_s_pictures_of_the_own_modality_are_neither_right_nor_wrong() -> None:
    found = by_angle([0, 1, 2, 90, 40, 130], [1, 1, 1, 2, 1, 2], [False, False, False, False, True, True])
    searches = list(all_against_all(found[1], "market1501"))
    rows = {row.direction[:3]: row for row in evaluate_modality(*found, searches)[:2]}
    assert rows["vis"].mean["rank1"] == rows["vis"].mean["mAP"] == 1  # 40 before 90, whoever is at 0, 1 and 2
    assert rows["vis"].queries == 4 and rows["vis"].unanswered == 0
    # At 40 the infrared query finds 2, 1, 0; at 130 it is nearer to 90 than to the stranger at 40.
    assert rows["inf"].mean["rank1"] == 1


def test_a_shift_between_the_modalities_is_taken_away_with_their_means() -> None:
    """People at 10 and 30 degrees, in infrared 30 degrees on: at 30 the nearest is at 40, and so on."""
    found = by_angle([10, 30, 40, 60], [1, 2, 1, 2], [False, False, True, True])
    searches = list(all_against_all(found[1], "regdb"))
    assert {row.mean["rank1"] for row in evaluate(*found, searches)} == {0.5}
    assert {row.mean["rank1"] for row in evaluate_modality(*found, searches)[2:]} == {1.0}


@given(scenes(), st.sampled_from([np.float32, np.float64]))
def test_less_means_has_length_1_and_no_mean_direction(scene: tuple[Array, Samples], dtype: type) -> None:
    descriptors, samples = scene[0].astype(dtype), scene[1]
    found = less_means(descriptors, samples.infrared)
    assert found.dtype == dtype
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    for row, expected in zip(found, naive_means(descriptors.astype(np.float64), samples), strict=True):
        if expected.any():
            np.testing.assert_allclose(row[:5], expected, atol=1e-3 if dtype == np.float32 else 1e-9)
        else:
            assert not row[:5].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pictures_at_their_modality_s_mean_are_as_far_from_all(dtype: type) -> None:
    equal = np.full((8, 5), 0.7, dtype)
    samples = samples_of([0, 0, 1, 1] * 2, [False, True] * 4, [1, 2] * 4)
    searches = list(all_against_all(samples, "market1501"))
    main = evaluate(equal, samples, searches)
    rows = evaluate_modality(equal, samples, searches, rerank=True)
    assert [row.reranked for row in rows] == [False, True] * 4
    assert [row.mean for row in rows[4::2]] == [row.mean for row in main]  # in the gallery's order
    alone = less_means(np.eye(3, dtype=dtype), np.array([True, False, False]))
    assert alone[0].tolist() == [0, 0, 0, 0, 1] and not (alone[1:, 3:]).any() and alone[0] @ alone[1] == 0


def test_pictures_beside_a_drawn_gallery_are_drawn_as_it_is(tmp_path: Path) -> None:
    for name, tree in (("sysu_mm01", trees.sysu_mm01), ("llcm", trees.llcm)):
        found = DATA_SETS[name].read(tree(tmp_path / name)).splits["test"]
        rows = sorted(found, key=lambda record: record.name)
        of = ([r.identity for r in rows], [r.modality == "infrared" for r in rows], [r.camera for r in rows])
        samples = samples_of(*of)
        searches = DATA_SETS[name].searches(samples)
        for search in searches:
            assert len(search.beside) == len(search.galleries) == 10
            for gallery, beside, both in zip(search.galleries, search.beside, mixed(samples, search), strict=True):
                own = samples.infrared == (search.direction.query == "infrared")
                pairs = {*zip(samples.identities[own].tolist(), samples.cameras[own].tolist(), strict=True)}
                drawn = [*zip(samples.identities[beside].tolist(), samples.cameras[beside].tolist(), strict=True)]
                assert own[beside].all() and sorted(drawn) == sorted(pairs)
                assert both.tolist() == [*gallery, *beside]
        rng = np.random.default_rng(0)
        descriptors = rng.standard_normal((len(samples), 6))
        first = searches[:1] if name == "sysu_mm01" else searches
        for row, search in zip(evaluate_modality(descriptors, samples, searches), [*first, *first], strict=True):
            means = (
                naive_means(descriptors, samples)
                if row.setting == LESS
                else [r / np.linalg.norm(r) for r in descriptors]
            )
            expected = naive(samples, means, search, row.setting == BOTH)
            assert {k: row.mean[k] for k in FIGURES} == pytest.approx(expected, abs=1e-9) and row.trials == 10


def test_anyone_s_descriptors_are_judged_without_modality(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_descriptors(tmp_path / "d.npz", *by_angle([80, 100, 280, 260], [1, 2, 1, 2], [False, False, True, True]))
    for more, reranked in (([], [False]), (["--rerank"], [False, True])):
        evaluate_command(["--descriptors", str(tmp_path / "d.npz"), "--data", "folder", *more])
        printed = capsys.readouterr().out
        rows = [Row(**row) for row in json.loads((tmp_path / "evaluation.json").read_text())["rows"]]
        expected = [(s, r) for s in ("all pictures", *SETTINGS) for _ in DIRECTIONS for r in reranked]
        assert [(row.setting, row.reranked) for row in rows] == expected
        for row in rows:
            for text in (printed, *((tmp_path / f"evaluation.{kind}").read_text() for kind in ("csv", "md"))):
                assert (row.title if "setting" not in text[:20] else row.setting) in text
        assert figures(rows)["all pictures", "vis"] == (1, 1)


def test_means_over_trials_leave_out_what_a_trial_of_an_earlier_version_lacks() -> None:
    descriptors, samples = by_angle([80, 100, 280, 260], [1, 2, 1, 2], [False, False, True, True])
    searches = list(all_against_all(samples, "regdb"))
    before = evaluate(descriptors, samples, searches)
    now = before + evaluate_modality(descriptors, samples, searches)
    assert [row.setting for row in over_trials([now, now])] == [row.setting for row in now]
    with pytest.warns(UserWarning, match=f"not each of the 2 models has them: {BOTH}, {LESS}; evaluate all again"):
        found = over_trials([before, now])
    assert [(row.setting, row.mean) for row in found] == [(row.setting, row.mean) for row in before]


@pytest.mark.parametrize("own", [np.array([True]), np.array([0, 1])])
def test_own_that_does_not_fit_is_refused(own: Array) -> None:
    with pytest.raises(UserError, match=r"own is .*, expected bool \(2,\): one for each gallery descriptor"):
        score(np.eye(2), np.eye(2), np.arange(2), np.arange(2), own=own)
