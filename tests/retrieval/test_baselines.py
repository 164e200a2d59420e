"""Rows that need no learning against a plain computation; the table that shows them."""

import importlib.util
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hicmd_tf import commands
from hicmd_tf.data.pictures import fitted
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import UserError, missing
from hicmd_tf.files import write_json
from hicmd_tf.retrieval import baselines
from hicmd_tf.retrieval.baselines import SIMPLE, hand_crafted_figures, simple_figures
from hicmd_tf.retrieval.chance import chance
from hicmd_tf.retrieval.hand_crafted import hog, lomo
from hicmd_tf.retrieval.metrics import score_distances, summary
from hicmd_tf.retrieval.report import COLUMNS, read_scores, table


def encoded(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def crowd(data: str, side: int) -> tuple[np.ndarray, Samples]:
    """Four people by four cameras, two pictures each: the pictures, and what is known of them."""
    rng = np.random.default_rng(2)
    identities, cameras = (x.ravel() for x in np.meshgrid(np.arange(4), np.repeat([1, 2, 3, 6], 2), indexing="ij"))
    infrared = np.isin(cameras, (3, 6))
    if data == "folder":
        cameras = cameras % 3  # both modalities by one camera: some matches are hidden
    shade = rng.integers(60, 200, (4, 1, 1, 3))[identities]
    pictures = np.clip(shade + rng.normal(0, 60, (len(shade), side, side, 3)), 0, 255).astype(np.uint8)
    names = [f"{i:02d}" for i in range(32)]
    return pictures, Samples([encoded(x) for x in pictures], names, identities, infrared, cameras)


def judged(data: str, samples: Samples, kinds: dict[str, np.ndarray]) -> dict[str, dict[str, dict[str, float]]]:
    """By name of distances (32, 32) and of chance: direction -> mean figures of the first search."""
    found: dict[str, dict[str, dict[str, float]]] = {name: {} for name in (*kinds, "chance")}
    main = {str(search.direction): search for search in reversed([*DATA_SETS[data].searches(samples)])}
    for direction, search in main.items():
        trials: dict[str, list] = {name: [] for name in found}
        for gallery in search.galleries:
            of = [x[rows] for x in (samples.identities, samples.cameras) for rows in (search.queries, gallery)]
            trials["chance"].append(chance(*of, search.protocol))
            for name, distances in kinds.items():
                of_pair = distances[np.ix_(search.queries, gallery)]
                trials[name].append(summary(score_distances(of_pair, *of, search.protocol)))
        for name, each in trials.items():
            found[name][direction] = {key: np.mean([one[key] for one in each]) for key in COLUMNS}
    return found


def square_distances(rows: np.ndarray) -> np.ndarray:
    return np.stack([np.square(rows - row).sum(axis=1) for row in rows])


DATA = pytest.mark.parametrize("data", ["regdb", "folder", "sysu_mm01", "llcm"])


@DATA
def test_every_data_set_s_queries_galleries_and_rules_hold(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, samples = crowd(data, 4)
    monkeypatch.setattr(baselines, "BLOCK_BYTES", 3 * 4 * 4 * 3 * 4)  # three pictures
    monkeypatch.setattr(baselines, "BATCH", 5)
    found = simple_figures(samples, DATA_SETS[data].searches(samples), 4, 4)

    flat = ((pictures / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).reshape(32, -1)
    lengths = np.linalg.norm(flat, axis=1)
    levels = (pictures // 32 @ [64, 8, 1]).reshape(32, -1)
    histograms = np.stack([np.bincount(row, minlength=512) for row in levels]) / 16
    kinds = {
        "cosine": -flat @ flat.T / lengths[:, None] / lengths,
        "euclidean": square_distances(flat),
        "colour_histogram": np.abs(histograms[:, None] - histograms).sum(-1),
    }
    expected = judged(data, samples, kinds)
    directions = expected["chance"].keys()
    assert {name: of.keys() for name, of in found.items()} == dict.fromkeys(SIMPLE, directions)
    for direction in directions:
        best = max(
            (expected[name][direction] for name in ("cosine", "euclidean")), key=lambda figures: figures["rank1"]
        )
        assert found["raw_pixels"][direction] == pytest.approx(best)
        for name in ("colour_histogram", "chance"):
            assert found[name][direction] == pytest.approx(expected[name][direction])


@DATA
def test_hand_crafted_descriptors_are_compared_by_the_same_rules(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, samples = crowd(data, 20)
    monkeypatch.setattr(baselines, "BLOCK_BYTES", 3 * 26960 * 4)  # three of LOMO's
    monkeypatch.setattr(baselines, "BATCH", 5)
    found = hand_crafted_figures(samples, DATA_SETS[data].searches(samples), 24, 16)

    kinds = {
        name: square_distances(np.stack([describe(fitted(file, *size)) for file in samples.encoded]))
        for name, describe, size in (("hog", hog, (24, 16)), ("lomo", lomo, (128, 48)))
    }
    expected = judged(data, samples, kinds)
    assert [*found] == ["hog", "lomo"]
    for name, figures in found.items():
        assert figures.keys() == expected[name].keys()
        for direction, means in figures.items():
            assert means == pytest.approx(expected[name][direction])


def test_pictures_too_small_for_a_descriptor_are_one_line() -> None:
    _, samples = crowd("regdb", 20)
    with pytest.raises(UserError, match=r"HOG describes blocks of 16 x 16 .* have 64 x 12: give data\.height and"):
        hand_crafted_figures(samples, DATA_SETS["regdb"].searches(samples), 64, 12)


def test_without_scikit_image_the_command_says_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "skimage" else find(name))
    with pytest.raises(ModuleNotFoundError) as lacks:
        commands.main(["baselines", "--config", "tiny"])
    assert missing(lacks.value) == "the package skimage is not installed: pip install 'hicmd-tf[baselines]' brings it"


WHOLE = {"visible_to_infrared": dict.fromkeys(COLUMNS, 0.5)}


def test_what_was_written_makes_a_table_beside_chance(tmp_path: Any) -> None:
    write_json(tmp_path / "untrained.json", WHOLE)
    found = read_scores(tmp_path / "untrained.json", WHOLE)
    assert found == WHOLE
    chance_figures = {"visible_to_infrared": dict.fromkeys(COLUMNS, 0.25)}
    lines = [line.split() for line in table({"untrained": found, "chance": chance_figures}).splitlines()[1:]]
    assert lines[0][2:] == ["infrared", "untrained", *["50.00"] * 6, "2.0"]
    assert lines[1][2:] == ["infrared", "chance", *["25.00"] * 6, "1.0"]


@pytest.mark.parametrize(
    "found",
    [[], 7, {}, {"visible_to_infrared": []}, {"visible_to_infrared": {**WHOLE["visible_to_infrared"], "mAP": "x"}}],
)
def test_anything_else_is_one_line(found: Any, tmp_path: Any) -> None:
    write_json(tmp_path / "untrained.json", found)
    with pytest.raises(UserError, match=r"untrained\.json has other figures"):
        read_scores(tmp_path / "untrained.json", WHOLE)
