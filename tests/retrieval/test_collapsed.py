"""Tables, baselines and intervals of a collapsed network, whose descriptors are all equal."""

import io

import numpy as np
import pytest
from PIL import Image

from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.retrieval.baselines import SIMPLE, hand_crafted_figures, simple_figures
from hicmd_tf.retrieval.evaluation import both_directions, evaluate, main_figures, mean_map
from hicmd_tf.retrieval.metrics import score_distances


def crowd(people: int, each: int = 2) -> Samples:
    file = io.BytesIO()
    Image.new("RGB", (4, 8), (90, 120, 30)).save(file, "PNG")
    rows = np.arange(2 * people * each)
    infrared = rows % 2 == 1
    names = [f"{row:03d}" for row in rows]
    return Samples([file.getvalue()] * len(rows), names, rows // (2 * each), infrared, np.where(infrared, 2, 1))


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
    searches = DATA_SETS["folder"].searches
    simple, crafted = (
        simple_figures(samples, searches(samples), 8, 4),
        hand_crafted_figures(samples, searches(samples), 16, 16),
    )
    for found in [*(simple[name] for name in SIMPLE[1:]), *crafted.values()]:
        assert [figures["mAP"] for figures in found.values()] == [expected.mAP] * 2
