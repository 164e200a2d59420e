"""Raw pixels and colour histograms against a plain computation; the table that shows them."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import Search
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.retrieval import baselines
from hicmd_tf.retrieval.baselines import SIMPLE, simple_figures
from hicmd_tf.retrieval.chance import chance
from hicmd_tf.retrieval.metrics import score_distances, summary
from hicmd_tf.retrieval.report import table

PEOPLE, EACH = 6, 3


def encoded(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """(people, modality, EACH, 8, 4, 3) uint8: everyone has a shade, every picture noise."""
    rng = np.random.default_rng(0)
    shade = rng.integers(60, 200, (PEOPLE, 1, 1, 1, 1, 3))
    return np.clip(shade + rng.normal(0, 60, (PEOPLE, 2, EACH, 8, 4, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def figures(pixels: np.ndarray) -> dict:
    flat = pixels.reshape(-1, 8, 4, 3)
    identities = np.repeat(np.arange(PEOPLE), 2 * EACH)
    infrared = np.tile(np.repeat([False, True], EACH), PEOPLE)
    names = [str(row) for row in range(len(flat))]
    cameras = np.zeros(len(flat), np.int64)
    samples = Samples([encoded(x) for x in flat], names, identities, infrared, cameras)
    return simple_figures(samples, DATA_SETS["synthetic_vi"].searches(samples), 8, 4)


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

        def mean(figures: Callable[..., dict[str, float]], search: Search = search) -> dict[str, float]:
            queries = search.queries
            each = [
                figures((queries, g), identities[queries], identities[g], cameras[queries], cameras[g], search.protocol)
                for g in search.galleries
            ]
            return {name: float(np.mean([one[name] for one in each])) for name in each[0]}

        expected = {
            name: mean(lambda of, *rest, d=distances: summary(score_distances(d[np.ix_(*of)], *rest)))
            for name, distances in kinds.items()
        }
        best = max((expected[name] for name in ("cosine", "euclidean")), key=lambda figures: figures["rank1"])
        assert found["raw_pixels"][direction] == pytest.approx(best)
        assert found["colour_histogram"][direction] == pytest.approx(expected["colour_histogram"])
        assert found["chance"][direction] == pytest.approx(mean(lambda _, *rest: chance(*rest)))


def test_the_table_has_a_line_for_each_row_and_direction(figures: dict) -> None:
    ids = np.repeat(np.arange(PEOPLE), EACH)
    assert figures["chance"]["visible_to_infrared"] == chance(ids, ids)
    lines = table(figures).splitlines()
    assert len(lines) == 1 + 2 * len(SIMPLE)
    chance_line = lines[1].split()
    assert chance_line[2:5] == ["infrared", "chance", f"{100 / PEOPLE:.2f}"] and chance_line[-1] == "1.0"
