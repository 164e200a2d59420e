"""What the explorer computes, against naive rankings and the networks themselves."""

import asyncio
import copy
import dataclasses
import io
import threading
from typing import Any

import numpy as np
import pytest
from drawn_trees import vast_png
from PIL import Image

from hicmd_tf.data.pictures import denormalise
from hicmd_tf.errors import UserError
from hicmd_tf.explorer.parts import Latest
from hicmd_tf.explorer.studio import SWAPS, Mixture, Studio
from hicmd_tf.notation import INFRARED, VISIBLE, other
from hicmd_tf.retrieval.threshold import Threshold
from hicmd_tf.runs.opened import OpenedRun

Array = np.ndarray[Any, Any]


def changed(run: OpenedRun, **columns: Any) -> OpenedRun:
    """The run, with its descriptors, whose pictures are called otherwise."""
    other_run = copy.copy(run)
    other_run.samples = dataclasses.replace(run.samples, **columns)
    return other_run


def encoded(kind: str, mode: str = "RGB", size: tuple[int, int] = (41, 90)) -> bytes:
    smooth = np.random.default_rng(3).integers(0, 256, (6, 4, 3), np.uint8)
    picture = Image.fromarray(smooth).resize(size, Image.Resampling.BICUBIC).convert(mode)
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def test_every_ranking_is_the_order_of_cosines_with_the_figures_of_the_right_ones(studio: Studio) -> None:
    run, samples = studio.run, studio.run.samples
    for row in range(len(samples)):
        gallery = run.rows(other(samples.modality(row)))
        cosines = run.descriptors[gallery].astype(np.float64) @ run.descriptors[row]
        right = samples.identities[gallery] == samples.identities[row]

        ranking = studio.search(row)

        assert sorted(hit.row for hit in ranking.hits) == gallery.tolist()
        order = [gallery.tolist().index(hit.row) for hit in ranking.hits]
        np.testing.assert_allclose([hit.similarity for hit in ranking.hits], cosines[order], atol=1e-5)
        np.testing.assert_allclose(cosines[order], np.sort(cosines)[::-1], atol=1e-5)
        assert [hit.right for hit in ranking.hits] == right[order].tolist()
        ranks = [rank for rank, hit in enumerate(ranking.hits, 1) if hit.right]
        assert ranking.first == ranks[0]
        precisions = [found / rank for found, rank in enumerate(ranks, 1)]
        assert ranking.average_precision == pytest.approx(np.mean(precisions))


def test_hits_are_marked_by_the_run_s_threshold_where_it_has_one(studio: Studio) -> None:
    assert {hit.mark for hit in studio.search(0).hits} == {None}
    run = copy.copy(studio.run)
    middle = studio.search(0).hits[len(studio.search(0).hits) // 2].similarity
    run.threshold = Threshold(middle, middle, 1e-3, [0.0] * 3, [1.0] * 3, 9, 9, 9, "train")
    marked = Studio(run)
    hits = marked.search(0).hits
    assert [hit.mark for hit in hits] == ["likely" if hit.similarity >= middle else "stranger" for hit in hits]
    assert {"likely", "stranger"} == {hit.mark for hit in hits}
    assert studio.marks == "" and f"likely from cosine {middle:.3f} on" in marked.marks


def test_a_person_without_a_picture_in_the_other_modality_has_no_figures(studio: Studio) -> None:
    samples = studio.run.samples
    alone = int(studio.rows(VISIBLE)[0])
    moved = np.where(np.arange(len(samples)) == alone, 10**6, samples.identities)

    ranking = Studio(changed(studio.run, identities=moved)).search(alone)

    assert (ranking.first, ranking.average_precision) == (None, None) and not any(hit.right for hit in ranking.hits)


def test_a_file_ranks_as_the_same_picture_of_the_run_does_but_nobody_knows_who_is_right(studio: Studio) -> None:
    row = studio.rows(INFRARED)[1]
    ours = studio.search(row)

    found = studio.search_upload(studio.opened(studio.run.samples.encoded[row]), INFRARED)

    assert {hit.row for hit in found.hits} == set(studio.rows(VISIBLE))
    of_ours = {hit.row: hit.similarity for hit in ours.hits}
    assert all(hit.similarity == pytest.approx(of_ours[hit.row], abs=1e-5) for hit in found.hits)
    assert all(hit.right is None for hit in found.hits) and found.first is None and found.average_precision is None


def parts(studio: Studio, row: int) -> tuple[Array, Array]:
    pictures = studio.run.pictures(np.array([row]))
    return studio.run.model.encode(pictures, studio.run.samples.modality(row))


def generated(studio: Studio, prototype: Array, attributes: Any) -> Array:
    return denormalise(studio.run.model.decode(prototype, np.asarray(attributes))[0])


def test_the_ends_of_all_sliders_are_the_reconstructions_of_a_and_b(studio: Studio) -> None:
    a, b = studio.rows(VISIBLE)[0], studio.rows(INFRARED)[-1]

    at_a, at_b = studio.mixed(a, b, Mixture()), studio.mixed(a, b, Mixture(1, 1, 1, 1))

    np.testing.assert_array_equal(at_a, generated(studio, *parts(studio, a)))
    np.testing.assert_array_equal(at_b, generated(studio, *parts(studio, b)))
    assert at_a.dtype == np.uint8 and at_a.shape == (32, 16, 3) and not np.array_equal(at_a, at_b)


def test_swaps_are_those_of_the_layout(studio: Studio) -> None:
    a, b = studio.rows(VISIBLE)[0], studio.rows(INFRARED)[-1]
    (prototype, a_a), (_, a_b) = parts(studio, a), parts(studio, b)
    layout = studio.run.model.layout
    expected = {
        "A in B's pose and light": layout.swap_style(style=a_a, excluded=a_b),
        "A in B's style": layout.swap_style(style=a_b, excluded=a_a),
        "only B's illumination": layout.combine(style=a_a, pose=a_a, illumination=a_b),
        "reset": a_a,
    }

    made = {name: studio.mixed(a, b, mixture) for name, mixture in SWAPS.items()}

    assert list(made) == list(expected)
    for name, attributes in expected.items():
        np.testing.assert_array_equal(made[name], generated(studio, prototype, attributes), err_msg=name)
    assert len({picture.tobytes() for picture in made.values()}) == len(made)


def test_between_the_ends_every_part_goes_its_own_share(studio: Studio) -> None:
    a, b = studio.rows(VISIBLE)[0], studio.rows(VISIBLE)[-1]
    (p_a, a_a), (p_b, a_b) = parts(studio, a), parts(studio, b)
    style, pose, illumination = (a_a + share * (a_b - a_a) for share in (0.5, 0.75, 0.1))
    attributes = studio.run.model.layout.combine(style=style, pose=pose, illumination=illumination)

    picture = studio.mixed(a, b, Mixture(0.25, 0.5, 0.75, 0.1))

    expected = generated(studio, p_a + 0.25 * (p_b - p_a), attributes)
    np.testing.assert_allclose(picture.astype(int), expected.astype(int), atol=1)


@pytest.mark.parametrize(
    "content",
    [encoded("PNG"), encoded("JPEG", "L"), encoded("PNG", "RGBA"), encoded("PNG", size=(1, 1))],
    ids=["png", "grey jpeg", "transparent", "one pixel"],
)
def test_files_of_any_size_become_pictures_of_the_runs(studio: Studio, content: bytes) -> None:
    with Image.open(io.BytesIO(content)) as opened:
        expected = np.asarray(opened.convert("RGB").resize((16, 32), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(studio.opened(content).astype(int), expected.astype(int), atol=2)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"a letter", "the picture can't be decoded"),
        (encoded("PNG")[:-200], "can't be decoded"),
        (vast_png(), "pixels"),
    ],
    ids=["text", "cut short", "vast"],
)
def test_anything_else_is_refused_in_one_line(studio: Studio, content: bytes, named: str) -> None:
    with pytest.raises(UserError, match=named) as refusal:
        studio.opened(content)
    assert "\n" not in str(refusal.value)


def test_thumbnails_are_the_runs_pictures_and_no_row_is_a_path(studio: Studio) -> None:
    with Image.open(io.BytesIO(studio.png(3))) as picture:
        np.testing.assert_array_equal(np.asarray(picture), studio.run.pictures(np.array([3]))[0])
    for row in (-1, len(studio.run.samples)):
        with pytest.raises(IndexError):
            studio.png(row)


def test_what_waits_is_replaced_by_what_is_asked_for_last() -> None:
    begun: list[int] = []
    shown: list[tuple[int, float]] = []
    go_on = threading.Event()

    def reciprocal(number: int) -> float:
        begun.append(number)
        assert go_on.wait(60)
        return 1 / number

    async def scenario() -> None:
        latest: Latest[int, float] = Latest(reciprocal, lambda *pair: shown.append(pair))
        first = asyncio.create_task(latest.ask(1))
        while not begun:
            await asyncio.sleep(0.001)
        for number in (2, 3, 4):
            await latest.ask(number)  # which returns at once, for 1 is under way
        assert begun == [1] and not shown
        go_on.set()
        await first
        with pytest.raises(ZeroDivisionError):
            await latest.ask(0)
        await latest.ask(5)  # a failure stops nothing that comes after

    asyncio.run(scenario())
    assert begun == [1, 4, 0, 5] and shown == [(1, 1), (4, 0.25), (5, 0.2)]
