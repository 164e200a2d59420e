"""Every kind of figure of a real run: what is in the pictures, what the words say, and what is refused."""

import io
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from hicmd_tf.commands.visualize import NAMES, main
from hicmd_tf.data.pictures import denormalise
from hicmd_tf.errors import UserError
from hicmd_tf.notation import MODALITIES
from hicmd_tf.retrieval.lists import ranked_lists
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.visualize import curves, distances, embedding, swaps
from hicmd_tf.visualize.attention import attention_maps, overlaid
from hicmd_tf.visualize.figures import KINDS
from hicmd_tf.visualize.swaps import Shown, choose, decode_all


def write_losses(folder: Path, rows: int = 3) -> None:
    names = [name for of in curves.PANELS.values() for name in of]
    lines = [["step", *names], *([10 * row, *[3.0 / row] * len(names)] for row in range(1, rows + 1))]
    (folder / "losses.csv").write_text("".join(",".join(map(str, line)) + "\n" for line in lines))


def test_the_command_names_every_kind() -> None:
    assert list(NAMES) == list(KINDS)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"curves", "embedding"}))
def test_a_kind_makes_pictures_with_words_and_the_same_again(run: OpenedRun, kind: str) -> None:
    figures = KINDS[kind](run, 1)
    assert figures
    for figure in figures:
        with Image.open(io.BytesIO(figure.png)) as picture:
            assert len(picture.convert("RGB").getcolors(picture.width * picture.height) or []) > 10
        assert len(figure.alternative) > 40 and figure.caption.endswith((".", ").")) and figure.title
    assert [figure.png for figure in figures] == [figure.png for figure in KINDS[kind](run, 1)]


def test_swaps_show_what_the_codes_say(run: OpenedRun) -> None:
    rows = choose(run, dict.fromkeys(MODALITIES, 1), 0)
    shown = Shown(run, rows)
    a, b = shown.codes
    layout = run.model.layout
    grid = swaps._grid(
        run, shown, shown, lambda x, r: (x.prototype, np.asarray(layout.swap_style(x.attributes, r.attributes)))
    )
    own = denormalise(run.model.decode(a.prototype, a.attributes))[0]
    crossed = denormalise(run.model.decode(a.prototype, np.asarray(layout.swap_style(a.attributes, b.attributes))))[0]
    assert np.abs(grid[1][1].picture.astype(int) - own).max() <= 1  # rounding of batches of other sizes
    assert np.abs(grid[1][2].picture.astype(int) - crossed).max() <= 1


def test_people_of_inputs_and_references_differ(run: OpenedRun) -> None:
    inputs = choose(run, dict.fromkeys(MODALITIES, 1), 3)
    references = choose(run, dict.fromkeys(MODALITIES, 2), 4, but=inputs)
    people = run.samples.identities[[*inputs, *references]].tolist()
    assert len(set(people)) == len(people)
    assert [run.samples.modality(row) for row in references] == ["visible"] * 2 + ["infrared"] * 2


def test_interpolation_begins_and_ends_where_it_should_and_moves(run: OpenedRun) -> None:
    shown = Shown(run, choose(run, dict.fromkeys(MODALITIES, 1), 5))
    a, b = shown.codes
    between = swaps._between(run, shown, 3)
    ends = [
        (a.prototype, a.attributes),
        (a.prototype, np.asarray(run.model.layout.swap_style(a.attributes, b.attributes))),
    ]
    assert np.abs(between[[0, 2]].astype(int) - decode_all(run, ends)).max() <= 1
    (figure,) = swaps.interpolate(run, 0)
    assert figure.animation is not None
    with Image.open(io.BytesIO(figure.animation)) as moving:
        assert moving.n_frames > 2 and moving.info["loop"] == 0


def test_overlap_is_the_area_that_two_histograms_share() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 200_000), rng.normal(1, 1, 200_000)
    assert distances.overlap(a, a) == pytest.approx(1) and distances.overlap(a, a + 100) == 0
    assert distances.overlap(a, b) == pytest.approx(0.6171, abs=0.01)  # 2 Phi(-1/2)
    equal = np.zeros(9)  # of a network that has collapsed
    assert distances.overlap(equal, equal) == distances.overlap(equal, equal + 1e-7) == 1


def test_distances_are_those_of_all_pairs_across_modalities(run: OpenedRun) -> None:
    intra, inter = distances.cross_modal(run)
    f, people = run.descriptors.astype(np.float64), run.samples.identities
    naive: dict[bool, list[float]] = {True: [], False: []}
    for v in run.rows("visible"):
        for i in run.rows("infrared"):
            naive[people[v] == people[i]].append(1 - float(f[v] @ f[i]))
    np.testing.assert_allclose(np.sort(intra), np.sort(naive[True]), atol=1e-5)
    np.testing.assert_allclose(np.sort(inter), np.sort(naive[False]), atol=1e-5)
    (figure,) = distances.distances(run)
    assert "before training" in figure.alternative and "after training" in figure.alternative


def test_attention_is_the_gradients_share_of_each_place(run: OpenedRun) -> None:
    rows = run.rows("visible")[:2]
    pictures, targets = run.pictures(rows), run.descriptors[run.rows("infrared")[:2]]
    prototype, attributes = attention_maps(run.model.networks, pictures, "visible", targets)
    assert prototype.shape == (2, 8, 4) and attributes.shape[1] >= 6
    for found in (prototype, attributes):
        assert found.min() >= 0 and set(found.max(axis=(1, 2)).round(6)) <= {0.0, 1.0} and found.max() > 0
    alone, _ = attention_maps(run.model.networks, pictures[:1], "visible", targets[:1])
    np.testing.assert_allclose(alone[0], prototype[0], atol=1e-3)  # pictures don't share gradients


def test_a_map_colours_where_it_is_high_only() -> None:
    picture = np.full((8, 4, 3), 100, np.uint8)
    found = overlaid(picture, np.array([[0.0, 0.0], [1.0, 1.0]]))
    assert (found[0] == 100).all() and np.ptp(found[-1], axis=-1).min() > 50


def test_points_are_coloured_by_what_is_known(run: OpenedRun) -> None:
    known = embedding.known(run.samples)
    assert list(known) == ["identity", "modality", "yaw", "gait_phase", "illumination"]
    by_person = embedding.colours("identity", known["identity"])
    people = known["identity"]
    assert all((by_person[people == person] == by_person[people == person][0]).all() for person in people)
    assert len({tuple(colour) for colour in by_person}) == len(set(people.tolist()))


def test_plots_say_which_code_and_which_colours(run: OpenedRun) -> None:
    points = embedding.place(run, 0)
    panels = embedding._plot(points).axes
    assert [axes.get_title() for axes in panels[: len(embedding.NAMES)]] == list(embedding.NAMES.values())
    assert [axes.get_ylabel() for axes in panels[:: len(embedding.NAMES)]] == [
        "identity",
        "modality",
        "yaw",
        "gait phase",
        "illumination",
    ]
    for place in points.places.values():
        assert place.shape == (len(points.rows), 2) and np.isfinite(place).all()


def test_the_embedding_can_be_explored(run: OpenedRun, browser, tmp_path: Path) -> None:
    main(["--run", str(run.folder.path), "--out", str(tmp_path), "embedding"])
    page = browser.open((tmp_path / "embedding.html").as_uri(), width=390, height=1200, scheme="dark")
    canvas = page.locator("canvas")
    before = canvas.screenshot()
    page.get_by_label("modality").check()
    assert canvas.screenshot() != before
    canvas.focus()
    page.keyboard.press("ArrowRight")
    name = f"identity {run.samples.identities[0]}, {run.samples.modality(0)}"
    assert name in page.locator(".words").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not browser.errors and all(address.startswith(("file:", "data:")) for address in browser.requests)


def test_curves_show_losses_figures_over_the_steps_and_cmc(run: OpenedRun, tmp_path: Path) -> None:
    folder = shutil.copytree(run.folder.path, tmp_path / "run")
    write_losses(folder)
    columns = [f"{d}_{f}" for d in ("visible_to_infrared", "infrared_to_visible") for f in ("rank1", "mAP")]
    (folder / "evaluations.csv").write_text(
        "step," + ",".join(columns) + "\n20,0.3,0.2,0.4,0.25\n30,0.5,0.4,0.6,0.45\n"
    )
    main(["--run", str(folder), "curves"])
    assert {file.name for file in (folder / "figures").iterdir()} == {"losses.png", "evaluations.png", "cmc.png"}
    told = curves.over_time(OpenedRun(folder).folder)
    assert "visible to infrared rank1 50.0 %" in told.alternative
    (folder / "evaluations.csv").write_text("step," + ",".join(columns) + "\n30,0.1,0.1,0.1,0.1\n")
    assert curves.over_time(OpenedRun(folder).folder).png != told.png


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, "does not exist"),
        ("step,same\n", "no row"),
        ("step,same\n1,x\n", "damaged"),
        ("step,same\n1,2\n", "column"),
        ("\0\0\n1,2\n", "line 1 does not name columns"),
        ("step,same\n1,2", "damaged .line 2 can't be read"),
        ("step,same\n1," + "9" * 200_000 + "\n", "damaged"),
        ("step,same\n1,2,3\n", "damaged"),
        ("step,same\n1\n", "damaged"),
        ("step,same\n1,\0\n", "damaged"),
    ],
)
def test_a_missing_empty_or_damaged_table_is_one_line(content: str | None, named: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "losses.csv").write_text(content)
    with pytest.raises(UserError, match=named):
        curves.losses(SimpleNamespace(losses=tmp_path / "losses.csv"))  # type: ignore[arg-type]


def test_lines_that_cannot_be_read_are_left_out_and_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfstep,same,new\r\n1,0.5,\r\n\r\n2,\0\xff,3\r\n3,0.25,4\r\n4,0.1")
    with pytest.warns(UserWarning, match=r"t\.csv: lines 4, 6 can't be read: left out"):
        found = curves.read_table(tmp_path / "t.csv", "training.log_every")
    assert found["step"] == [1, 3] and found["same"] == [0.5, 0.25]
    assert math.isnan(found["new"][0]) and found["new"][1] == 4


@pytest.mark.parametrize(
    "before", ["[]", "7", "{}", '{"visible_to_infrared": 1}', '{"visible_to_infrared": {"rank1": "x"}}']
)
def test_an_evaluation_before_training_of_another_form_is_one_line(before: str, tmp_path: Path) -> None:
    folder = SimpleNamespace(evaluations=tmp_path / "evaluations.csv", untrained=tmp_path / "untrained.json")
    folder.evaluations.write_text("step,visible_to_infrared_rank1,visible_to_infrared_mAP\n1,0.5,0.5\n")
    folder.untrained.write_text(before)
    with pytest.raises(UserError, match=r"untrained\.json has no number"):
        curves.over_time(folder)  # type: ignore[arg-type]
    folder.evaluations.write_text("steps,visible_to_infrared_rank1\n1,0.5\n")
    with pytest.raises(UserError, match="line 1 does not name columns, the first of which is step"):
        curves.over_time(folder)  # type: ignore[arg-type]


def only(run: OpenedRun, rows: np.ndarray) -> OpenedRun:
    """The run with some of its test pictures."""
    data = SimpleNamespace(train=run.data.train, held_out=run.data.held_out, test=run.samples.select(rows))
    return run.having(data=data)


def test_one_person_and_one_modality_are_refused_in_one_line(run: OpenedRun) -> None:
    with pytest.raises(UserError, match="no picture of the people to test is infrared"):
        only(run, run.rows("visible")).samples  # noqa: B018 (read when it is asked for)
    alone = only(run, np.flatnonzero(run.samples.identities == run.samples.identities[0]))
    with pytest.raises(UserError, match="two people at least"):
        KINDS["distances"](alone, 0)
    assert KINDS["swap"](alone, 0) and KINDS["ranked"](alone, 0)  # which need no second person


def test_unknown_people_are_looked_through_and_shown_as_nobody(run: OpenedRun) -> None:
    samples = run.samples
    stranger = samples.identities == samples.identities.max()
    strange = replace(samples, identities=np.where(stranger, -1, samples.identities))
    some = run.having(samples=strange)
    assert not stranger[some.searches[0].queries].any() and stranger[some.searches[0].galleries[0]].any()
    assert some.known is some.known.known and some.known.samples.known.all()
    intra, inter = distances.cross_modal(some.known)
    visible, infrared = (np.count_nonzero(~stranger & (samples.infrared == m)) for m in (False, True))
    assert len(intra) + len(inter) == visible * infrared
    (asked,) = ranked_lists(some.descriptors, strange, some.searches[0], np.flatnonzero(stranger)[:1])
    assert not asked.right.any() and strange.identity(asked.query) == "unknown"


def test_a_run_without_checkpoint_or_no_run_at_all_is_refused(run: OpenedRun, tmp_path: Path) -> None:
    folder = shutil.copytree(run.folder.path, tmp_path / "run", ignore=lambda *_: ["checkpoints"])
    with pytest.raises(UserError, match="no checkpoint yet"):
        main(["--run", str(folder), "swap"])
    with pytest.raises(UserError, match=r"no config\.yaml"):
        main(["--run", str(tmp_path / "elsewhere"), "swap"])
    with pytest.raises(UserError, match="--seed"):
        main(["--run", str(folder), "--seed", "-1", "swap"])
    assert json.loads((folder / "untrained.json").read_text())  # nothing is lost
