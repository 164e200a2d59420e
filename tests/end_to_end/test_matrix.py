"""Every command on every kind of data, called from the project's folder and from elsewhere.

One run of each kind is trained, by relative paths in a folder of its own; all cells share it. Each asserts a right
value, not merely that nothing is raised. The kind `folder` is part of `make test`, the others of `make test-slow`.
"""

import contextlib
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import drawn_trees as trees
import numpy as np
import pytest
from PIL import Image

import hicmd_tf
from hicmd_tf import commands
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.data.sources.walking import PICTURES
from hicmd_tf.errors import UserError
from hicmd_tf.notation import INFRARED, MODALITIES, other
from hicmd_tf.retrieval.stored import Stored, read_descriptors

DRAWN = "synthetic_vi"
PLUMBING = Path(__file__).parents[1] / "fixtures" / "plumbing.yaml"
CHECKOUT = Path(__file__).parents[2]
PEOPLE = ("Ἀντιγόνη", "bob", "C. D.", "12", "anna", "0042", "eve", "zoë")
STEPS = 2
FIGURES = ("rank1", "rank5", "rank10", "rank20", "mAP", "mINP")
TOLERANCE = 2e-5

Array = np.ndarray[Any, Any]


def own(folder: Path) -> Path:
    """Eight people called by text and by numbers, in every format there is; four of them train."""
    for place, name in enumerate(PEOPLE):
        for modality in MODALITIES:
            for number in (1, 2):
                suffix = PICTURES[(place + number) % len(PICTURES)]
                file = (
                    folder
                    / ("train", "test")[place % 2]
                    / name
                    / modality
                    / f"cam-{modality[0]}{number}_{number}{suffix}"
                )
                trees.picture(file, 100 * place + 10 * (modality == INFRARED) + number, grey=modality == INFRARED)
    return folder


def empty(folder: Path) -> Path:
    """Drawn people come from no folder."""
    return folder


TREES: dict[str, Callable[[Path], Path]] = {
    DRAWN: empty,
    "regdb": lambda folder: trees.regdb(folder, people=8),
    "sysu_mm01": trees.sysu_mm01,
    "llcm": lambda folder: trees.llcm(folder, people=8),
    "folder": own,
}
KINDS = [
    kind if kind == "folder" else pytest.param(kind, marks=[pytest.mark.slow, pytest.mark.xdist_group(kind)])
    for kind in TREES
]


class Place:
    """A run of one kind. project: the folder it was trained in, where it is called run and its pictures source.
    elsewhere: another folder. printed: what fit printed."""

    def __init__(self, kind: str, root: Path) -> None:
        self.kind, self.project, self.elsewhere = kind, root / "a project", root / "elsewhere"
        for folder in (self.project, self.elsewhere):
            folder.mkdir()
        TREES[kind](self.project / "source")
        self.printed = self.say("fit", *self.training("run", "source"), "--steps", str(STEPS), "--no-report")

    def training(self, run: object, source: object) -> list[str]:
        """Options of whatever trains."""
        given = [] if self.kind == DRAWN else ["--data.name", self.kind, "--data.source", str(source)]
        few = ["--training.checkpoint_every", "1", "--training.picture_every", "2"]
        return ["--config", str(PLUMBING), "--data.directory", "data", *given, *few, "--run", str(run)]

    def say(self, *words: object, at: Path | None = None) -> str:
        """What a command prints, called in the project's folder or another one."""
        with contextlib.chdir(at or self.project), contextlib.redirect_stdout(io.StringIO()) as said:
            commands.main([str(word) for word in words])
        return said.getvalue()

    @property
    def sourced(self) -> list[str]:
        """--source by its whole name, of kinds that have one."""
        return [] if self.kind == DRAWN else ["--source", str(self.project / "source")]

    @property
    def run(self) -> Path:
        """The run by its whole name."""
        return self.project / "run"

    @property
    def metrics(self) -> dict[str, Any]:
        """Its figures."""
        return json.loads((self.run / "metrics.json").read_text())

    @cached_property
    def samples(self) -> Samples:
        """The pictures it is tested on."""
        from hicmd_tf.runs.opened import OpenedRun

        with contextlib.chdir(self.elsewhere):
            return OpenedRun(self.run).samples

    @cached_property
    def photographs(self) -> Path:
        """The test pictures as files, below photographs/IDENTITY/MODALITY."""
        folder = self.project / "photographs"
        for row, content in enumerate(self.samples.encoded):
            name = self.samples.names[row].replace("/", "-")
            file = folder / self.samples.identity(row) / self.samples.modality(row) / name
            file = file if file.suffix else file.with_name(f"{name}.png")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return folder

    @cached_property
    def described(self) -> Stored:
        """Their descriptors, as extract writes them."""
        self.say("extract", "--run", "run", "--images", self.photographs.name, "--out", "photographs.npz")
        return read_descriptors(self.project / "photographs.npz")

    def files(self, modality: str) -> list[Path]:
        """The photographs of one modality."""
        return sorted(self.photographs.glob(f"*/{modality}/*"))

    def of(self, files: list[Path]) -> Array:
        """The descriptors of some photographs."""
        rows = {name: row for row, name in enumerate(self.described.samples.names)}
        names = [file.relative_to(self.photographs).as_posix() for file in files]
        return self.described.descriptors[[rows[name] for name in names]]


@pytest.fixture(scope="module", params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(params=["project", "elsewhere"])
def where(request: pytest.FixtureRequest, place: Place) -> tuple[Path, Path]:
    """The folder that a command is called in, and what the run is called there."""
    return (place.project, Path("run")) if request.param == "project" else (place.elsewhere, place.run)


def main_rows(metrics: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {name: figures for name, figures in metrics.items() if "_to_" in name}


def in_table(figures: dict[str, float], printed: str) -> bool:
    """Whether a line of the main table has the figures."""
    return " ".join(f"{100 * figures[name]:.2f}" for name in FIGURES) in " ".join(printed.split())


# ------------------------------------------------------------------------------------------------ training and figures


def test_fit_leaves_the_figures_that_it_prints(place: Place) -> None:
    metrics, samples = place.metrics, place.samples
    ways = main_rows(metrics)
    assert set(ways) == (
        {"infrared_to_visible"} if place.kind == "sysu_mm01" else {"visible_to_infrared", "infrared_to_visible"}
    )
    assert metrics["steps"] == STEPS and metrics["identities"] == len(set(samples.identities.tolist())) > 2
    assert metrics["pictures"] == {m: len(samples.of(m)) for m in MODALITIES}
    for name in ("untrained", "raw_pixels", "colour_histogram", "chance"):
        assert metrics[name].keys() == ways.keys()
        assert all(in_table(metrics[name][way], place.printed) for way in ways)
    assert all(in_table(figures, place.printed) for figures in ways.values())
    for row in metrics["settings"]:
        low, high = row["between"]["rank1"]
        assert high - low > 0.2 and low <= row["mean"]["rank1"] <= high  # few people tell little
    noted = [row for row in metrics["settings"] if metrics["at_chance"].get(row["direction"])]
    assert not noted or "not above chance" in place.printed
    with (place.run / "losses.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [*range(1, STEPS + 1)]


def test_chance_is_what_a_random_ranking_gives(place: Place) -> None:
    from hicmd_tf.retrieval.metrics import score_distances, summary

    rng, samples, rounds = np.random.default_rng(0), place.samples, 600
    main: dict[str, Any] = {}
    for search in DATA_SETS[place.kind].searches(samples):
        main.setdefault(str(search.direction), search)
    for way, search in main.items():
        means = []
        for gallery in search.galleries:
            queries = np.tile(search.queries, rounds // len(search.galleries))
            ids, cameras = samples.identities, samples.cameras
            labels = ids[queries], ids[gallery], cameras[queries], cameras[gallery], search.protocol
            means.append(summary(score_distances(rng.random((len(queries), len(gallery))), *labels)))
        for name in ("rank1", "mAP"):
            assert place.metrics["chance"][way][name] == pytest.approx(np.mean([m[name] for m in means]), abs=0.03)


def test_a_run_goes_on_from_elsewhere_by_whole_names(place: Place) -> None:
    longer = place.project / "longer"
    shutil.copytree(place.run, longer)
    options = place.training(longer, place.project / "source")
    options[options.index("data")] = str(place.project / "data")
    place.say("fit", *options, "--steps", STEPS + 1, "--no-report", "--resume", at=place.elsewhere)
    before, after = (folder.joinpath("losses.csv").read_text().splitlines() for folder in (place.run, longer))
    assert after[: len(before)] == before and len(after) == len(before) + 1
    assert json.loads((longer / "metrics.json").read_text())["steps"] == STEPS + 1
    assert not [*place.elsewhere.iterdir()]  # nothing is drawn or copied once more


def test_evaluate_repeats_the_figures(place: Place, where: tuple[Path, Path]) -> None:
    folder, run = where
    before = place.metrics
    printed = place.say("evaluate", "--run", run, at=folder)
    assert {**place.metrics, "provenance": 0} == {**before, "provenance": 0}
    assert all(in_table(figures, printed) for figures in main_rows(before).values())


def test_baselines_are_those_of_the_metrics(place: Place, where: tuple[Path, Path]) -> None:
    folder, run = where
    printed = place.say("baselines", "--run", run, at=folder)
    for name in ("raw_pixels", "colour_histogram", "chance"):
        assert all(in_table(figures, printed) for figures in place.metrics[name].values())


def test_reranking_is_a_row_more_and_the_same_from_the_run_and_from_its_descriptors(
    place: Place, tmp_path: Path
) -> None:
    place.say("evaluate", "--run", place.run, "--rerank", "--out", tmp_path / "run", at=place.elsewhere)
    rows = json.loads((tmp_path / "run" / "evaluation.json").read_text())["rows"]
    assert [row for row in rows if not row["reranked"]] == place.metrics["settings"]
    assert [row["reranked"] for row in rows] == [False, True] * (len(rows) // 2)
    file = place.project / "own.npz"
    write(file, place)
    options = ["--descriptors", file.name, "--data", place.kind, "--rerank", "--out", tmp_path / "file"]
    place.say("evaluate", *options)
    again = json.loads((tmp_path / "file" / "evaluation.json").read_text())["rows"]
    for row, other_row in zip(rows, again, strict=True):
        assert other_row["mean"] == pytest.approx(row["mean"])


def write(file: Path, place: Place) -> None:
    """The test pictures' descriptors, called as the data set calls them."""
    from hicmd_tf.retrieval.stored import write_descriptors

    if place.kind != DRAWN:
        options = ["--run", "run", "--data", place.kind, "--source", "source", "--out", file]
        place.say("extract", *options)
        return
    model = hicmd_tf.load(place.run)
    samples = place.samples
    found = [model.embed(opened(one)[None], samples.modality(row)) for row, one in enumerate(samples.encoded)]
    write_descriptors(file, np.concatenate(found), samples)


def opened(content: bytes) -> Array:
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB"))


def test_a_run_is_reproduced_to_the_bit(place: Place) -> None:
    printed = place.say("reproduce", place.run, "--run", "again", at=place.elsewhere)
    assert printed.splitlines()[-1].startswith("reproduced to the bit")
    again = place.elsewhere / "again"
    assert (again / "losses.csv").read_bytes() == (place.run / "losses.csv").read_bytes()
    shutil.rmtree(again)


def test_a_step_that_fails_is_replayed(place: Place) -> None:
    options = [*place.training("failing", "source"), "--losses.same", "1e39", "--steps", "2", "--no-report"]
    with pytest.raises(UserError, match=r"step 1: .* became .*hicmd replay --run failing"):
        place.say("fit", *options)
    printed = place.say("replay", "--run", place.project / "failing", at=place.elsewhere)
    failure = json.loads((place.project / "failing" / "failure" / "failure.json").read_text())
    assert printed.startswith(f"step 1 and its {len(failure['pictures'])} pictures\n") and failure["step"] == 1
    assert all(f"{float(value):.6g}" in printed for value in failure["losses"].values())


@pytest.mark.filterwarnings("ignore:cameras .* took pictures of one person in both")
def test_data_are_checked(place: Place) -> None:
    if place.kind == DRAWN:
        with pytest.raises(UserError, match=DRAWN):
            place.say("check", place.kind, "source")
        return
    trial = ["--trial", 1] if DATA_SETS[place.kind].trials > 1 else []
    relative = place.say("check", place.kind, "source", *trial)
    whole = place.say("check", place.kind, place.project / "source", *trial, at=place.elsewhere)
    assert relative == whole.replace(str(place.project / "source"), "source")
    for modality in MODALITIES:
        of = place.samples.of(modality)
        counts = rf"test +{modality} +{len(set(of.identities.tolist()))} +{len(of)} "
        assert re.search(counts, relative), relative


# --------------------------------------------------------------------------------------------------------- descriptors


def test_extracted_descriptors_are_those_of_the_model(place: Place) -> None:
    model, stored = hicmd_tf.load(place.run), place.described
    assert len(stored.samples) == len(place.samples)
    for row, name in enumerate(stored.samples.names):
        content = (place.photographs / name).read_bytes()
        expected = model.embed(opened(content)[None], stored.samples.modality(row))[0]
        np.testing.assert_allclose(stored.descriptors[row], expected, atol=TOLERANCE)
        assert stored.samples.identity(row) == Path(name).parts[0]


def test_a_gallery_is_made_added_to_and_searched(place: Place, tmp_path: Path) -> None:
    images, gallery = ["--run", "run", "--images", place.photographs.name], ["--index", tmp_path / "gallery"]
    rows = len(place.samples)
    assert f"{rows} pictures added" in place.say("search", "index", *gallery, *images)
    whole = ["--run", place.run, "--images", place.photographs]
    assert "0 pictures added" in place.say("search", "add", *gallery, *whole, at=place.elsewhere)
    for modality in MODALITIES:
        query = place.files(modality)[0]
        asked = ["--picture", query, "--modality", modality, "--json", "-k", rows, "--only", other(modality)]
        said = place.say("search", "query", *gallery, "--run", place.run, *asked, at=place.elsewhere)
        hits = json.loads(said)[0]["hits"]
        assert {Path(hit["path"]) for hit in hits} == {*place.files(other(modality))}
        cosines = place.of([Path(hit["path"]) for hit in hits]) @ place.of([query])[0]
        np.testing.assert_allclose([hit["similarity"] for hit in hits], cosines, atol=TOLERANCE)
        assert (np.diff(cosines) <= TOLERANCE).all()


# ------------------------------------------------------------------------------------------------------------- exports


@pytest.fixture(scope="module")
def exports(place: Place) -> dict[str, str]:
    """Both exports beside the run, and what was printed."""
    saved = place.say("export", "saved-model", "--run", "run", "--out", "saved")
    onnx = ["--run", place.run, "--out", place.project / "onnx", "--precisions", "fp32", *place.sourced]
    return {"saved": saved, "onnx": place.say("export", "onnx", *onnx, at=place.elsewhere)}


def test_exports_are_checked_when_they_are_made_and_later(place: Place, exports: dict[str, str]) -> None:
    from hicmd_tf.export.source import calibration, open_run

    assert "SavedModel" in exports["saved"] and "ONNX fp32" in exports["onnx"]
    options = ["--run", place.run, place.project / "saved", place.project / "onnx", *place.sourced]
    printed = place.say("export", "check", *options, at=place.elsewhere)
    table = {line.split("  ")[0]: line.split() for line in printed.splitlines()}
    figures = [f"{100 * of[name]:.2f}" for of in main_rows(place.metrics).values() for name in ("rank1", "mAP")]
    for name in ("Keras", "SavedModel", "ONNX fp32"):
        assert table[name][-len(figures) :] == figures and str(len(place.samples)) in table[name]
    with contextlib.chdir(place.elsewhere):  # for 8 bits, which such small networks of a few steps are too coarse for
        some = calibration(open_run(place.run).config, 3)
    assert [len(some.of(m)) for m in MODALITIES] == [3, 3]
    assert not set(some.identities.tolist()) & set(place.samples.identities.tolist())


@pytest.mark.parametrize("artefact", ["saved", "onnx"])
def test_an_exported_model_describes_and_is_judged_as_the_run_is(
    place: Place, exports: dict[str, str], artefact: str, tmp_path: Path
) -> None:
    from hicmd_tf.export.artefacts import open_artefacts

    for model in open_artefacts(place.project / artefact):
        for modality in MODALITIES:
            files = place.files(modality)
            found = model.describe([file.read_bytes() for file in files], modality)
            np.testing.assert_allclose(found, place.of(files), atol=TOLERANCE)
    for folder, name in ((place.project, artefact), (place.elsewhere, place.project / artefact)):
        out = tmp_path / folder.name
        sourced = ["--source", "source"] if place.sourced and folder == place.project else place.sourced
        place.say("evaluate", "--model", name, *sourced, "--out", out, at=folder)
        exact = next(out.glob("*SavedModel*" if artefact == "saved" else "*fp32*"))
        rows = json.loads((exact / "evaluation.json").read_text())["rows"]
        for row, expected in zip(rows, place.metrics["settings"], strict=True):
            assert row["mean"] == pytest.approx(expected["mean"], abs=1e-6)
    if place.kind != DRAWN:
        with pytest.raises(UserError, match=r"data\.source is '': .* otherwise with --source"):
            place.say("evaluate", "--model", place.project / artefact, at=place.elsewhere)


def test_a_server_describes_as_the_run_does(place: Place, exports: dict[str, str]) -> None:
    command = [sys.executable, "-m", "hicmd_tf", "serve", "--model", "saved", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=place.project) as server:
        try:
            assert server.stdout is not None
            ready = re.search(r"(http://127\.0\.0\.1:\d+)/", server.stdout.readline())
            assert ready is not None
            for modality in MODALITIES:
                files = place.files(modality)
                options = ["--url", ready[1], "--modality", modality, *files, "--out", f"{modality}.npz"]
                place.say("describe", *options, at=place.elsewhere)
                with np.load(place.elsewhere / f"{modality}.npz") as stored:
                    np.testing.assert_allclose(stored["descriptors"], place.of(files), atol=TOLERANCE)
                (place.elsewhere / f"{modality}.npz").unlink()
        finally:
            server.send_signal(signal.SIGINT)


def test_weights_go_to_torch_and_back(place: Place, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed: weights are not converted")
    place.say("convert", "--to-torch", "run", tmp_path / "released")
    config = ["--config", place.run / "config.yaml"]
    place.say("convert", tmp_path / "released", tmp_path / "back", *config)
    place.say("evaluate", "--run", tmp_path / "back")
    back = json.loads((tmp_path / "back" / "metrics.json").read_text())
    for way, figures in main_rows(place.metrics).items():
        assert back[way] == pytest.approx(figures, abs=1e-6)


# -------------------------------------------------------------------------------------------------------- looking at it


def test_every_figure_and_the_report_are_made(place: Place) -> None:
    from hicmd_tf.commands.visualize import NAMES

    printed = place.say("visualize", "--run", place.run, "all", "--out", "figures", at=place.elsewhere)
    for file in printed.splitlines():
        assert (place.elsewhere / file).stat().st_size > 0
    assert len(printed.splitlines()) >= len(NAMES)
    shutil.rmtree(place.elsewhere / "figures")


def test_the_report_has_the_figures(place: Place, where: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from hicmd_tf.visualize import figures

    monkeypatch.setattr(figures, "KINDS", {})  # they have their own test
    folder, run = where
    place.say("report", "--run", run, at=folder)
    page = " ".join(
        re.sub(r"<style>.*?</style>|<[^>]+>", " ", (place.run / "report.html").read_text(), flags=re.S).split()
    )
    for name, words in (("raw_pixels", "nearest raw pixels"), ("chance", "chance")):
        for way_figures in place.metrics[name].values():
            assert f"{words} {' '.join(f'{100 * way_figures[figure]:.1f}' for figure in FIGURES)}" in page
    for row in place.metrics["settings"]:
        assert f"{100 * row['mean']['mAP']:.1f}" in page
    assert ("are not above chance" in page or "is not above chance" in page) == any(place.metrics["at_chance"].values())


def test_codes_are_measured(place: Place, tmp_path: Path) -> None:
    few = ["--pairs", 6, "--observer-steps", 2, "--out", tmp_path]
    place.say("disentangle", "--run", place.run, *few, at=place.elsewhere)
    found = json.loads((tmp_path / "disentangle.json").read_text())
    assert found["people"] == place.metrics["identities"] and found["training steps"] == STEPS
    assert found["pictures"] == len(place.samples) and found["figures"]
    assert ("not measured" in found) == (place.kind != DRAWN)


def test_the_explorer_ranks_mixes_and_shows(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastapi.testclient import TestClient

    from hicmd_tf.data.pictures import denormalise
    from hicmd_tf.explorer.parts import address
    from hicmd_tf.explorer.server import application
    from hicmd_tf.explorer.studio import Mixture, Studio
    from hicmd_tf.runs.opened import OpenedRun

    monkeypatch.chdir(place.elsewhere)
    studio = Studio(OpenedRun(place.run))
    run = studio.run
    for modality in MODALITIES:
        row = int(run.rows(modality)[0])
        ranking = studio.search(row)
        assert sorted(hit.row for hit in ranking.hits) == run.rows(other(modality)).tolist()
        cosines = run.descriptors[[hit.row for hit in ranking.hits]] @ run.descriptors[row]
        np.testing.assert_allclose([hit.similarity for hit in ranking.hits], cosines, atol=TOLERANCE)
        assert [hit.right for hit in ranking.hits] == [
            run.samples.identities[hit.row] == run.samples.identities[row] for hit in ranking.hits
        ]
        codes = run.model.encode(run.pictures(np.array([row])), modality)
        np.testing.assert_array_equal(studio.mixed(row, row, Mixture()), denormalise(run.model.decode(*codes)[0]))
    # The page itself is tested in a browser: NiceGUI begins once in a process, and here is one for each kind.
    page = TestClient(application(studio), base_url="http://127.0.0.1")
    np.testing.assert_array_equal(opened(page.get(address(row)).content), run.pictures(np.array([row]))[0])


# -------------------------------------------------------------------------------------------------------------- tuning


def test_a_search_reports_its_trial_beside_chance(place: Place) -> None:
    common = place.training("x", "source")[:-2]
    drawn = ["--data.synthetic.identities", 16] if place.kind == DRAWN else []
    options = [*common, *drawn, "--data.held_out", 2, "--steps", 1, "--intervals", 1, "--max-trials", 1]
    printed = place.say("tune", *options, "--out", "search")
    metrics = json.loads((place.project / "search" / "runs" / "trial_0" / "metrics.json").read_text())
    assert metrics["split"] == "held_out" and metrics["identities"] == 2
    with (place.project / "search" / "trials.csv").open() as file:
        (trial,) = csv.DictReader(file)
    assert float(trial["objective"]) == pytest.approx(metrics["objective"], abs=1e-6)
    assert re.search(r"mAP %: chance \d+\.\d\d, nearest raw pixels \d+\.\d\d", printed)


def test_an_ablation_is_a_row_beside_chance(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from hicmd_tf.tuning import ablations

    monkeypatch.setattr(ablations, "ABLATIONS", {"full": ablations.ABLATIONS["full"]})
    common = place.training("x", place.project / "source")[:-2]
    common[common.index("data")] = str(place.project / "data")
    printed = place.say(
        "ablations",
        *common,
        "--steps",
        1,
        "--seeds",
        1,
        "--out",
        place.project / "grid",
        at=place.elsewhere,
    )
    metrics = json.loads((place.project / "grid" / "runs" / "trial_0" / "metrics.json").read_text())
    for name, start in (("", "|alternate|CE+triplet"), ("chance", "|chance|")):
        figures = main_rows(metrics[name] if name else metrics)
        (cells,) = [line.split() for line in printed.splitlines() if line.replace(" ", "").startswith(start)]
        expected = [f"{100 * of[key]:.1f}" for of in figures.values() for key in ("rank1", "mAP")]
        assert set(expected) <= set(cells)
