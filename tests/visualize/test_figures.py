"""Every kind of figure of a real run: what is in the pictures, what the words say, and what is refused."""

import io
import math
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from hicmd_tf.commands.visualize import main
from hicmd_tf.data.pictures import denormalise
from hicmd_tf.errors import UserError
from hicmd_tf.notation import MODALITIES
from hicmd_tf.retrieval.threshold import Threshold
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.visualize import curves, distances, embedding, swaps
from hicmd_tf.visualize.attention import attention_maps, overlaid
from hicmd_tf.visualize.figures import KINDS, figures_of
from hicmd_tf.visualize.ranked import ranked_lists
from hicmd_tf.visualize.swaps import GRIDS, Shown, choose, decode_all


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swaps, "STEPS", 3)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"curves", "embedding"}))
def test_a_kind_makes_pictures_with_words_and_the_same_again(run: OpenedRun, kind: str) -> None:
    figures = figures_of(kind, run, 1)
    assert figures
    for figure in figures:
        with Image.open(io.BytesIO(figure.png)) as picture:
            assert len(picture.convert("RGB").getcolors(picture.width * picture.height) or []) > 10
        assert len(figure.alternative) > 40 and figure.caption.endswith((".", ").")) and figure.title
    assert [figure.png for figure in figures] == [figure.png for figure in figures_of(kind, run, 1)]


def test_reliability_is_drawn_where_the_run_has_a_calibrated_threshold(run: OpenedRun) -> None:
    assert [figure.name for figure in figures_of("verification", run, 0)] == ["roc"]
    threshold = Threshold(0.5, 0.2, 1e-3, *[[0.0] * 3] * 2, 9, 9, 9, "train", calibration=[2.0, -1.0])
    roc, reliability = figures_of("verification", run.having(samples=run.samples, threshold=threshold), 0)
    assert "EER" in roc.alternative and "120 pairs of strangers" in roc.alternative
    assert "Calibrated on 9 training people, drawn for test people" in reliability.caption
    with Image.open(io.BytesIO(reliability.png)) as picture:
        assert picture.width > 300


def test_grids_show_what_their_names_say(run: OpenedRun) -> None:
    a, b = Shown(run, choose(run, dict.fromkeys(MODALITIES, 1), 0)).codes
    layout = run.model.layout

    def parts(prototype: np.ndarray, attributes: np.ndarray) -> dict[str, np.ndarray]:
        return {"prototype": prototype, **{name: np.asarray(of(attributes)) for name, of in layout.parts().items()}}

    from_reference = {
        "swap_excluded": {"pose", "illumination"},
        "swap_identity": {"prototype", "style"},
        "illumination": {"illumination"},
        "pose": {"pose"},
    }
    assert GRIDS.keys() == from_reference.keys()
    for name, grid in GRIDS.items():
        for part, value in parts(*grid.mix(layout, a, b)).items():
            expected = parts(*(b if part in from_reference[name] else a))[part]
            np.testing.assert_array_equal(value, expected)
    own = denormalise(run.model.decode(a.prototype, a.attributes))[0]
    assert np.abs(decode_all(run, [a, b])[0].astype(int) - own).max() <= 1  # rounding of batches of other sizes


def test_people_of_inputs_and_references_differ(run: OpenedRun) -> None:
    inputs = choose(run, dict.fromkeys(MODALITIES, 1), 3)
    references = choose(run, dict.fromkeys(MODALITIES, 2), 4, but=inputs)
    people = run.samples.identities[[*inputs, *references]].tolist()
    assert len(set(people)) == len(people)
    assert [run.samples.modality(row) for row in references] == ["visible"] * 2 + ["infrared"] * 2


def test_interpolation_begins_and_ends_where_it_should(run: OpenedRun) -> None:
    shown = Shown(run, choose(run, dict.fromkeys(MODALITIES, 1), 5))
    a, b = shown.codes
    ends = [a, GRIDS["swap_excluded"].mix(run.model.layout, a, b)]
    assert np.abs(swaps.between(run, shown)[[0, -1]].astype(int) - decode_all(run, ends)).max() <= 1


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
    over = overlaid(np.full((8, 4, 3), 100, np.uint8), np.array([[0.0, 0.0], [1.0, 1.0]]))
    assert (over[0] == 100).all() and np.ptp(over[-1], axis=-1).min() > 50  # coloured where the map is high only


def test_plots_say_which_code_and_which_colours(run: OpenedRun) -> None:
    rows = np.arange(len(run.samples))
    known, kinds = embedding.known_of(run.samples), ["identity", "modality", "yaw", "gait_phase", "illumination"]
    assert list(known) == kinds
    places = embedding.place(run, rows, 0)
    panels = embedding.plotted(places, known).axes
    assert [axes.get_title() for axes in panels[: len(places)]] == list(embedding.NAMES.values())
    assert [axes.get_ylabel().replace(" ", "_") for axes in panels[:: len(places)]] == kinds
    assert all(place.shape == (len(rows), 2) and np.isfinite(place).all() for place in places.values())
    people = known["identity"]
    by_person = set(zip(people, map(tuple, embedding.colours("identity", people)), strict=True))
    assert len(by_person) == len({colour for _, colour in by_person}) == len(set(people.tolist()))


NAMES = [f"{d}_{f}" for d in ("visible_to_infrared", "infrared_to_visible") for f in ("rank1", "mAP")]


def test_curves_show_losses_figures_over_the_steps_and_cmc(run: OpenedRun, tmp_path: Path) -> None:
    folder = shutil.copytree(run.folder.path, tmp_path / "run")
    main(["--run", str(folder), "curves"])  # a converted run has no table
    assert [file.name for file in (folder / "figures").iterdir()] == ["cmc.png"]
    (folder / "losses.csv").write_text("step,same,alpha\n10,3.0,0.1\n20,1.5,0.2\n")
    (folder / "evaluations.csv").write_text(f"step,{','.join(NAMES)}\n20,0.3,0.2,0.4,0.25\n30,0.5,0.4,0.6,0.45\n")
    main(["--run", str(folder), "curves"])
    assert {file.name for file in (folder / "figures").iterdir()} == {"losses.png", "evaluations.png", "cmc.png"}
    opened = OpenedRun(folder).folder
    assert "same 1.5; alpha 0.2" in curves.losses(opened).alternative
    said = curves.evaluations(opened)
    assert "visible to infrared rank-1 50.0 %" in said.alternative
    (folder / "untrained.json").unlink()
    assert curves.evaluations(opened).png != said.png  # which begins at the untrained networks'


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("step,same\n", "no row"),
        ("step,same\n1,x\n", "line 2 can't be read"),
        ("\0\0\n1,2\n", "lines 1, 2 can't be read"),
        ("step,same\n1,2", "line 2 can't be read"),
    ],
)
def test_an_empty_or_damaged_table_is_one_line(content: str, named: str, tmp_path: Path) -> None:
    (tmp_path / "losses.csv").write_text(content)
    with pytest.raises(UserError, match=named):
        curves.losses(SimpleNamespace(losses=tmp_path / "losses.csv"))  # type: ignore[arg-type]


def test_lines_that_cannot_be_read_are_left_out_and_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfstep,same,new\r\n1,0.5,\r\n\r\n2,\0\xff,3\r\n3,0.25,4\r\n4,0.1")
    with pytest.warns(UserWarning, match=r"t\.csv: lines 4, 6 can't be read: left out"):
        found = curves.read_table(tmp_path / "t.csv")
    assert found["step"].tolist() == [1, 3] and found["same"].tolist() == [0.5, 0.25]
    assert math.isnan(found["new"][0]) and found["new"][1] == 4


def only(run: OpenedRun, rows: np.ndarray) -> OpenedRun:
    """The run with some of its test pictures."""
    data = SimpleNamespace(train=run.data.train, held_out=run.data.held_out, test=run.samples.select(rows))
    return run.having(data=data)


def test_one_person_and_one_modality_are_refused_in_one_line(run: OpenedRun) -> None:
    with pytest.raises(UserError, match="no picture of the people to test is infrared"):
        only(run, run.rows("visible")).samples  # noqa: B018 (read when it is asked for)
    alone = only(run, np.flatnonzero(run.samples.identities == run.samples.identities[0]))
    with pytest.raises(UserError, match="two people at least"):
        figures_of("distances", alone, 0)
    assert figures_of("swap", alone, 0) and figures_of("ranked", alone, 0)  # which need no second person


def test_unknown_people_are_looked_through_and_shown_as_nobody(run: OpenedRun) -> None:
    samples = run.samples
    stranger = samples.identities == samples.identities.max()
    strange = replace(samples, identities=np.where(stranger, -1, samples.identities))
    some = run.having(samples=strange)
    (search, *_), known = some.searches, some.known
    assert not stranger[search.queries].any() and stranger[search.galleries[0]].any()
    assert known is known.known and known.samples.known.all()
    intra, inter = distances.cross_modal(known)
    visible, infrared = (np.count_nonzero(~stranger & (samples.infrared == m)) for m in (False, True))
    assert len(intra) + len(inter) == visible * infrared
    asked = ranked_lists(some.descriptors, strange, search._replace(queries=np.flatnonzero(stranger)[:1]))[0]
    assert not asked.right.any() and strange.identity(asked.query) == "unknown"


def test_a_run_without_checkpoint_is_refused(run: OpenedRun, tmp_path: Path) -> None:
    folder = shutil.copytree(run.folder.path, tmp_path / "run", ignore=lambda *_: ["checkpoints"])
    with pytest.raises(UserError, match="no checkpoint yet"):
        main(["--run", str(folder), "swap"])
