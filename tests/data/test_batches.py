"""What an iteration sees (row 5)."""

import dataclasses
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.config.schema import BatchConfig
from hicmd_tf.data.augmentation import blur, brighten
from hicmd_tf.data.batches import (
    AHEAD,
    GENERATED,
    REAL,
    BatchPlanner,
    Pixels,
    batches,
    erasing_boxes,
    evaluation_batches,
)
from hicmd_tf.data.pictures import normalise
from hicmd_tf.data.samples import Contents, Samples
from hicmd_tf.errors import UserError
from hicmd_tf.notation import MODALITIES
from hicmd_tf.pictures.decode import as_png

HEIGHT, WIDTH = 8, 4
PEOPLE, EACH = 9, 3


def drawn(people: int = PEOPLE) -> tuple[Samples, np.ndarray]:
    """Samples of noise, and their pixels."""
    count = people * 2 * EACH
    pixels = np.random.default_rng(0).integers(0, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)
    contents = [as_png(one) for one in pixels]
    identities = 100 + 10 * np.repeat(np.arange(people), 2 * EACH)
    infrared = np.tile(np.repeat([False, True], EACH), people)
    return Samples(contents, list(map(str, range(count))), identities, infrared, np.zeros(count, np.int64)), pixels


SAMPLES, PIXELS = drawn()


ALL_CHANGES = {"pad": 2, "brightness": 0.5, "blur": 0.5, "channel_exchange": 0.5}


def batch_config(pairs: int, negatives: int, flip: float = 0.5, **changes: float) -> BatchConfig:
    sizes = {"pairs": pairs, "negatives": negatives, "flip": flip, "erasing": 0.5, "norm_groups": 1}
    return BatchConfig(**{**sizes, **dict.fromkeys(ALL_CHANGES, 0), **changes})


def planner(
    pairs: int = 3, negatives: int = 2, seed: int = 5, flip: float = 0.5, height: int = HEIGHT, **changes: float
) -> BatchPlanner:
    return BatchPlanner(SAMPLES, batch_config(pairs, negatives, flip, **changes), height, WIDTH, seed)


@settings(max_examples=20)
@given(step=st.integers(0, 10**6), seed=st.integers(0, 2**32 - 1), negatives=st.integers(0, 3))
def test_pairs_share_identities_and_nobody_comes_twice(step: int, seed: int, negatives: int) -> None:
    plan = planner(pairs=3, negatives=negatives, seed=seed).plan(step)
    np.testing.assert_array_equal(plan.labels["visible"], plan.labels["infrared"])
    everyone = np.concatenate([plan.labels[name] for name in REAL if name != "infrared"])
    assert len(everyone) == 3 + 2 * negatives == len(set(everyone.tolist()))
    for name in REAL:
        rows = plan.rows[name]
        np.testing.assert_array_equal(SAMPLES.identities[rows], 100 + 10 * plan.labels[name])
        assert (SAMPLES.infrared[rows] == name.startswith("infrared")).all()
    assert all(plan.erasing[name].shape == (3, 4) for name in ("visible", *GENERATED))


def test_a_pass_shows_every_picture_once_and_passes_differ() -> None:
    plans = [planner() for _ in range(2)]
    count = len(SAMPLES)
    passes = [[plans[0].indexed_row(step) for step in range(start, start + count)] for start in (0, count)]
    assert sorted(passes[0]) == sorted(passes[1]) == list(range(count)) and passes[0] != passes[1]
    for step in (0, 7, count + 3):
        first = plans[1].plan(step)
        assert plans[0].indexed_row(step) in (first.rows["visible"][0], first.rows["infrared"][0])


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    whole = list(batches(planner(), SAMPLES, 0, 6))
    resumed = list(batches(planner(), SAMPLES, 4, 6))
    other = next(iter(batches(planner(seed=6), SAMPLES, 4, 5)))
    for expected, batch in zip(whole[4:], resumed, strict=True):
        np.testing.assert_equal(batch, expected)
    assert int(resumed[0]["step"]) == 4
    assert not np.array_equal(other["visible"], resumed[0]["visible"])


def test_pixels_flips_labels_and_boxes_are_the_planned_ones() -> None:
    plan = planner().plan(3)
    batch = next(iter(batches(planner(), SAMPLES, 3, 4)))
    flipped = 0
    for name in REAL:
        expected = np.stack([
            PIXELS[row][:, ::-1] if flip else PIXELS[row]
            for row, flip in zip(plan.rows[name], plan.flips[name], strict=True)
        ])  # fmt: skip
        np.testing.assert_array_equal(batch[name], normalise(expected))
        flipped += int(plan.flips[name].sum())
        assert batch[name].dtype == np.float32
    assert 0 < flipped < 10 and batch["step"].dtype == np.int64
    np.testing.assert_array_equal(batch["identities"], plan.labels["visible"], strict=True)
    for m in MODALITIES:
        np.testing.assert_array_equal(batch[f"{m}_negative_identities"], plan.labels[f"{m}_negatives"])
    for name in REAL + GENERATED:
        np.testing.assert_array_equal(batch["erasing"][name], plan.erasing[name], strict=True)


def test_a_change_that_is_off_draws_nothing_and_leaves_the_others_as_they_are() -> None:
    whole, plain = planner(**ALL_CHANGES).plan(3), planner().plan(3)
    np.testing.assert_equal(whole._replace(details={}), plain)
    assert not plain.details and [*whole.details] == ["shifts", "brightness", "blur", "channels"]
    without = {kind: planner(**{**ALL_CHANGES, kind: 0}).plan(3).details for kind in ALL_CHANGES}
    for kind, detail in {"pad": "shifts", "brightness": "brightness", "blur": "blur"}.items():
        assert without[kind].keys() == {*whole.details} - {detail}
    np.testing.assert_equal(without["channel_exchange"], {k: v for k, v in whole.details.items() if k != "channels"})
    np.testing.assert_equal(without["brightness"]["shifts"], whole.details["shifts"])
    shifts = np.concatenate([*planner(pad=2, pairs=5, negatives=2).plan(1).details["shifts"].values()])
    assert shifts.shape == (14, 2) and set(shifts.ravel().tolist()) == {-2, -1, 0, 1, 2}


def test_visible_looks_show_one_channel_or_grey_as_often_as_is_said() -> None:
    counts = np.zeros(5)
    for step in range(300):
        channels = planner(channel_exchange=0.6).plan(step).details["channels"]
        assert {name: len(of) for name, of in channels.items()} == {
            "visible": 3,
            "visible_negatives": 2,
            "generated_visible": 3,
        }
        counts += np.bincount(np.concatenate([*channels.values()]), minlength=5)
    np.testing.assert_allclose(counts / counts.sum(), [0.4, 0.15, 0.15, 0.15, 0.15], atol=0.03)


def test_pictures_are_brighter_and_blurred_before_they_are_flipped() -> None:
    """Those of the plan, one by one; shifts are for the training step."""
    high = 64  # so that a blur is more than nothing: pictures are resized
    plan = planner(height=high, **ALL_CHANGES).plan(3)
    batch = next(iter(batches(planner(height=high, **ALL_CHANGES), SAMPLES, 3, 4)))
    resized = Pixels(SAMPLES, high, WIDTH)
    changed = 0
    for name in REAL:
        details = zip(plan.details["brightness"][name], plan.details["blur"][name], plan.flips[name], strict=True)
        for row, found, (brightness, deviation, flip) in zip(plan.rows[name], batch[name], details, strict=True):
            expected = resized.fetch(np.array([row]))
            changed += not np.array_equal(normalise(expected)[0], found)
            brighten(expected, brightness[None])
            blur(expected, deviation[None])
            np.testing.assert_array_equal(found, normalise(expected[0, :, ::-1] if flip else expected[0]))
        np.testing.assert_array_equal(batch["shifts"][name], plan.details["shifts"][name], strict=True)
    assert changed == 10 and "brightness" not in batch and "blur" not in batch


def test_pictures_decoded_batch_by_batch_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = next(iter(batches(planner(), SAMPLES, 0, 1)))
    monkeypatch.setattr("hicmd_tf.data.batches.MEMORY_LIMIT", 0)
    np.testing.assert_equal(next(iter(batches(planner(), SAMPLES, 0, 1))), kept)


@pytest.mark.parametrize("fit", [True, False])
def test_pixels_are_new_ones_by_row_kept_where_all_fit(fit: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hicmd_tf.data.batches.MEMORY_LIMIT", PIXELS.nbytes - (not fit))
    pixels = Pixels(SAMPLES, HEIGHT, WIDTH)
    if fit:
        np.testing.assert_array_equal(pixels.kept, PIXELS, strict=True)
    else:
        assert pixels.kept is None
    rows = np.array([7, 0, 7])
    pixels.fetch(rows)[:] = 0
    np.testing.assert_array_equal(pixels.fetch(rows), PIXELS[rows], strict=True)


def test_evaluation_shows_all_pictures_in_order() -> None:
    parts = list(evaluation_batches(SAMPLES, HEIGHT, WIDTH, 16))
    assert [len(part) for part in parts] == [16, 16, 16, 6]
    np.testing.assert_array_equal(np.concatenate(parts), normalise(PIXELS))


def test_pictures_are_read_when_they_are_needed_and_few_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    contents = Contents([partial(lambda row: read.append(row) or SAMPLES.encoded[row], row) for row in range(54)])
    of_files = dataclasses.replace(SAMPLES, encoded=contents)
    monkeypatch.setattr("hicmd_tf.data.samples.THREADS", 2)
    parts = evaluation_batches(of_files, HEIGHT, WIDTH, 4)
    next(parts)
    assert set(range(4)) <= set(read) and len(read) < 30
    parts.close()
    read.clear()
    monkeypatch.setattr("hicmd_tf.data.batches.MEMORY_LIMIT", 0)
    steps = batches(planner(), of_files, 0, 1000)
    next(steps)
    steps.close()
    each = 2 * (3 + 2)
    assert each <= len(read) <= each * (AHEAD + 3)
    plan = planner().plan(0)
    assert {int(row) for rows in plan.rows.values() for row in rows} <= set(read)


def test_what_goes_wrong_ahead_is_said_in_its_place() -> None:
    spoilt = dataclasses.replace(SAMPLES, encoded=[*SAMPLES.encoded[:20], b"no picture", *SAMPLES.encoded[21:]])
    parts = evaluation_batches(spoilt, HEIGHT, WIDTH, 10)
    assert [len(next(parts)) for _ in range(2)] == [10, 10]
    with pytest.raises(UserError, match="picture 20 can't be decoded, expected a whole PNG"):
        next(parts)


def test_too_few_identities_and_a_missing_modality_are_named() -> None:
    with pytest.raises(UserError, match="needs 10 training identities, there are 9"):
        planner(pairs=4, negatives=3)
    lonely = SAMPLES.select(~((SAMPLES.identities == 120) & SAMPLES.infrared))
    with pytest.raises(UserError, match="identity 120 has no infrared picture"):
        BatchPlanner(lonely, batch_config(2, 1), HEIGHT, WIDTH, 0)


TALL, WIDE = 64, 32


def boxes(probability: float, count: int = 4000, seed: int = 0) -> np.ndarray:
    return erasing_boxes(np.random.default_rng(seed), count, TALL, WIDE, probability)


def test_boxes_lie_anywhere_inside_and_keep_to_their_ranges() -> None:
    top, left, height, width = boxes(1.0).T.astype(float)
    assert (height > 0).all() and (height < TALL).all() and (width > 0).all() and (width < WIDE).all()
    assert (top.min(), (top + height).max()) == (0, TALL) and (left.min(), (left + width).max()) == (0, WIDE)
    # sides are rounded: half a pixel either way
    assert ((height - 0.5) * (width - 0.5) <= 0.4 * TALL * WIDE).all()
    assert ((height + 0.5) * (width + 0.5) >= 0.02 * TALL * WIDE).all()
    assert ((height - 0.5) / (width + 0.5) <= 1 / 0.3).all() and ((height + 0.5) / (width - 0.5) >= 0.3).all()


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_so_many_pictures_are_erased(probability: float) -> None:
    share = np.mean(boxes(probability)[:, 2] > 0)
    assert abs(share - probability) <= 4 * (probability * (1 - probability) / 4000) ** 0.5  # four standard errors


def test_a_picture_that_no_box_fits_stays_whole() -> None:
    _, _, height, width = erasing_boxes(np.random.default_rng(0), 20, 1, 1, 1.0).T
    assert not (height * width).any()
