"""Raw pixels and colour histograms against a plain computation; the table that shows them."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import UserError
from hicmd_tf.files import write_json
from hicmd_tf.retrieval import baselines
from hicmd_tf.retrieval.baselines import SIMPLE, simple_figures
from hicmd_tf.retrieval.chance import chance
from hicmd_tf.retrieval.metrics import score_distances, summary
from hicmd_tf.retrieval.report import COLUMNS, read_scores, table


def encoded(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("data", ["regdb", "folder", "sysu_mm01", "llcm"])
def test_every_data_set_s_queries_galleries_and_rules_hold(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    identities, cameras = (x.ravel() for x in np.meshgrid(np.arange(4), np.repeat([1, 2, 3, 6], 2), indexing="ij"))
    infrared = np.isin(cameras, (3, 6))
    if data == "folder":
        cameras = cameras % 3  # both modalities by one camera: some matches are hidden
    shade = rng.integers(60, 200, (4, 1, 1, 3))[identities]
    pictures = np.clip(shade + rng.normal(0, 60, (len(shade), 4, 4, 3)), 0, 255).astype(np.uint8)
    samples = Samples([encoded(x) for x in pictures], [f"{i:02d}" for i in range(32)], identities, infrared, cameras)
    monkeypatch.setattr(baselines, "BLOCK_BYTES", 3 * 4 * 4 * 3 * 4)  # three pictures
    monkeypatch.setattr(baselines, "BATCH", 5)
    found = simple_figures(samples, DATA_SETS[data].searches(samples), 4, 4)

    flat = ((pictures / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).reshape(32, -1)
    lengths = np.linalg.norm(flat, axis=1)
    levels = (pictures // 32 @ [64, 8, 1]).reshape(32, -1)
    histograms = np.stack([np.bincount(row, minlength=512) for row in levels]) / 16
    kinds = {
        "cosine": -flat @ flat.T / lengths[:, None] / lengths,
        "euclidean": np.square(flat[:, None] - flat).sum(-1),
        "colour_histogram": np.abs(histograms[:, None] - histograms).sum(-1),
    }
    main = {str(search.direction): search for search in reversed([*DATA_SETS[data].searches(samples)])}
    assert {name: of.keys() for name, of in found.items()} == dict.fromkeys(SIMPLE, main.keys())
    for direction, search in main.items():
        trials: dict[str, list] = {name: [] for name in (*kinds, "chance")}
        for gallery in search.galleries:
            of = [x[rows] for x in (identities, cameras) for rows in (search.queries, gallery)]
            trials["chance"].append(chance(*of, search.protocol))
            for name, distances in kinds.items():
                of_pair = distances[np.ix_(search.queries, gallery)]
                trials[name].append(summary(score_distances(of_pair, *of, search.protocol)))
        means = {name: {key: np.mean([one[key] for one in each]) for key in COLUMNS} for name, each in trials.items()}
        best = max((means["cosine"], means["euclidean"]), key=lambda figures: figures["rank1"])
        assert found["raw_pixels"][direction] == pytest.approx(best)
        assert found["colour_histogram"][direction] == pytest.approx(means["colour_histogram"])
        assert found["chance"][direction] == pytest.approx(means["chance"])


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
