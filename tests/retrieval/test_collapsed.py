"""Descriptors of a collapsed network, which are all equal, and searches of one picture: figures are defined, ties go by
the gallery's order."""

import io

import numpy as np
import pytest
from PIL import Image

from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import PROTOCOLS, ProtocolName
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.retrieval.baselines import SIMPLE, simple_figures
from hicmd_tf.retrieval.evaluation import both_directions, evaluate, main_figures, mean_map
from hicmd_tf.retrieval.metrics import score, score_distances

DESCRIPTORS = {
    "ones": np.ones(4),
    "a direction that is rounded": np.array([0.1, 0.2, 0.7]),
    "a long one": np.random.default_rng(0).normal(size=2048),
}


@pytest.mark.parametrize("rerank", [False, True])
@pytest.mark.parametrize(("name", "dtype"), [*((name, np.float32) for name in DESCRIPTORS), ("ones", np.float64)])
@pytest.mark.parametrize(("queries", "gallery"), [(1, 1), (30, 50)])
def test_equal_descriptors_are_ranked_by_the_gallerys_order(
    queries: int, gallery: int, name: str, dtype: type, rerank: bool
) -> None:
    rows = np.tile(DESCRIPTORS[name].astype(dtype), (queries + gallery, 1))
    ids, gallery_ids = np.arange(queries) % 4, np.arange(gallery) % 4
    found = score(rows[:queries], rows[queries:], ids, gallery_ids, rerank=rerank)
    expected = score_distances(np.zeros((queries, gallery)), ids, gallery_ids)
    assert found.first_rank.tolist() == (1 + ids).tolist() == expected.first_rank.tolist()
    np.testing.assert_array_equal(found.cmc, expected.cmc)
    assert (found.mAP, found.mINP) == (expected.mAP, expected.mINP)


@pytest.mark.parametrize("rerank", [False, True])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_has_figures_of_equal_descriptors(protocol: ProtocolName, rerank: bool) -> None:
    ids, gallery_ids = np.array([5, 7]), np.array([7, 7, 5, 5])
    cameras, gallery_cameras = np.array([3, 3]), np.array([1, 4, 4, 1])
    rows = np.full((6, 3), 0.3)
    found = score(rows[:2], rows[2:], ids, gallery_ids, cameras, gallery_cameras, protocol, rerank)
    by_identity = PROTOCOLS[protocol].cmc_over == "identities"
    assert found.first_rank.tolist() == [2 if by_identity else 3, 1]
    assert found.average_precision == pytest.approx([(1 / 3 + 2 / 4) / 2, 1.0])


def crowd(people: int, each: int = 2) -> Samples:
    file = io.BytesIO()
    Image.new("RGB", (4, 8), (90, 120, 30)).save(file, "PNG")
    rows = 2 * people * each
    infrared = np.arange(rows) % 2 == 1
    identities = np.arange(rows) // (2 * each)
    return Samples(
        [file.getvalue()] * rows, [f"{row:03d}" for row in range(rows)], identities, infrared, np.where(infrared, 2, 1)
    )


@pytest.mark.parametrize("people", [1, 4])
def test_tables_baselines_intervals_and_objective_of_equal_descriptors(people: int) -> None:
    samples = crowd(people)
    equal = np.full((len(samples), 5), 0.7, np.float32)
    everyone = np.arange(2 * people) // 2
    expected = score_distances(np.zeros((2 * people, 2 * people)), everyone, everyone)
    rows = evaluate(equal, samples, DATA_SETS["folder"].searches(samples), rerank=True)
    assert [row.mean["mAP"] for row in rows] == [expected.mAP] * 4
    assert mean_map(both_directions(equal, samples, "folder")) == expected.mAP
    assert main_figures(rows)["visible_to_infrared"]["rank1"] == expected.cmc[0] == 1 / people
    for row in rows:
        assert row.between is not None and row.between["mAP"][0] <= expected.mAP <= row.between["mAP"][1]
        assert row.at_chance == ["rank1", "mAP"]
    simple = simple_figures(samples, DATA_SETS["folder"].searches(samples), 8, 4)
    for name in SIMPLE[1:]:
        assert [figures["mAP"] for figures in simple[name].values()] == [expected.mAP] * 2
