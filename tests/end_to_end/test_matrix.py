"""Every command on every kind of data, but the server, which knows nothing of data sets.

One run of each kind is trained, by relative paths in a folder of its own; the other commands are called from elsewhere
and share it. Each asserts a right value, not merely that nothing is raised. `make test` has the kind `folder`, with
either method, `make test-slow` the others. JAX trains in processes of its own.
"""

import contextlib
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import drawn_trees as trees
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import hicmd_tf
from hicmd_tf import commands
from hicmd_tf.config.kinds import EMBEDDING, HICMD, MethodName
from hicmd_tf.data.datasets import published
from hicmd_tf.data.pictures import denormalise
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.data.sources.walking import PICTURES
from hicmd_tf.errors import EXIT_CODE, UserError
from hicmd_tf.explorer.studio import Mixture, Studio
from hicmd_tf.export.artefacts import open_artefacts
from hicmd_tf.notation import INFRARED, MODALITIES, other
from hicmd_tf.retrieval.baselines import hand_crafted_figures
from hicmd_tf.retrieval.stored import read_descriptors, write_descriptors
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.visualize import figures
from hicmd_tf.visualize.report import SHOWN

assert tf  # imported before the first run, which `conftest` has compute without graphs, as its repetition
DRAWN = "synthetic_vi"
TRAINS = ("fit", "reproduce", "tune", "ablations", "compare")  # commands that compute with the run's engine
FIXTURES = Path(__file__).parents[1] / "fixtures"
PLUMBING = FIXTURES / "plumbing.yaml"
PEOPLE = ("Ἀντιγόνη", "bob", "C. D.", "12", "anna", "0042", "eve", "zoë")
STEPS = 2
NO_CODES = "the run is of an embedding network .*has no codes"
FIGURES = ("rank1", "rank5", "rank10", "rank20", "mAP", "mINP")
TOLERANCE = 2e-5

Array = np.ndarray[Any, Any]


def own(folder: Path) -> None:
    """Eight people called by text and by numbers, in every format there is; four of them train."""
    for place, name in enumerate(PEOPLE):
        for modality in MODALITIES:
            for number in (1, 2):
                suffix = PICTURES[(place + number) % len(PICTURES)]
                file = folder / ("train", "test")[place % 2] / name / modality / f"cam-{modality[0]}{number}_0{suffix}"
                trees.picture(file, 100 * place + 10 * (modality == INFRARED) + number, grey=modality == INFRARED)


TREES: dict[str, Callable[[Path], Any]] = {
    DRAWN: lambda folder: None,
    "regdb": lambda folder: trees.regdb(folder, people=8),
    "sysu_mm01": trees.sysu_mm01,
    "llcm": lambda folder: trees.llcm(folder, people=8),
    "folder": own,
}


class Trained(NamedTuple):
    """A run: on a kind of data, with a method and an engine."""

    kind: str
    method: MethodName = HICMD
    engine: str = "tensorflow"

    def __str__(self) -> str:
        return " ".join((self.kind, *(name for name in self[1:] if name not in (HICMD, "tensorflow"))))


RUNS = [
    *map(Trained, TREES),
    Trained(DRAWN, engine="jax"),
    Trained("folder", EMBEDDING),
    *(Trained(kind, EMBEDDING) for kind in ("regdb", "sysu_mm01", "llcm")),
    Trained(DRAWN, EMBEDDING, "jax"),
]
QUICK = (Trained("folder"), Trained("folder", EMBEDDING))
CONFIGURATIONS = {HICMD: PLUMBING, EMBEDDING: FIXTURES / "smoke_embedding.yaml"}


def parameter(run: Trained) -> Any:
    """One run, of `make test` or in a group of its own."""
    marks = [] if run in QUICK else [pytest.mark.slow, pytest.mark.xdist_group(str(run))]
    return pytest.param(run, id=str(run), marks=marks)


class Place:
    """A run. project: the folder it was trained in, where it is called run and its pictures source. elsewhere: another
    folder. printed: what fit printed."""

    def __init__(self, trained: Trained, root: Path) -> None:
        self.kind, self.project, self.elsewhere = trained.kind, root / "a project", root / "elsewhere"
        self.generates, self.config = trained.method == HICMD, CONFIGURATIONS[trained.method]
        self.jax = trained.engine == "jax"
        if self.jax:
            pytest.importorskip("jax", reason="JAX is not installed: pip install 'hicmd-tf[jax]'")
        self.run = self.project / "run"
        for folder in (self.project, self.elsewhere):
            folder.mkdir()
        TREES[self.kind](self.project / "source")
        options = [*self.training("data", "source"), "--run", "run", "--steps", STEPS, "--no-report"]
        self.printed = self.say("fit", *options, at=self.project)

    def training(self, data: object, source: object) -> list[object]:
        """Options of whatever trains. data, source: folders of drawn and of other pictures."""
        named = ["--data.name", self.kind, "--data.source", source]
        given = ["--data.directory", data] if self.kind == DRAWN else named
        few = ["--training.checkpoint_every", 1, "--training.picture_every", 2]
        given += ["--training.engine", "jax"] if self.jax else []
        return ["--config", self.config, *given, *few]

    @cached_property
    def whole(self) -> list[object]:
        """The same by whole names."""
        return self.training(self.project / "data", self.project / "source")

    def say(self, *words: object, at: Path | None = None) -> str:
        """What a command prints, called elsewhere or in another folder."""
        if self.jax and words[0] in TRAINS:
            return said_apart(words, at or self.elsewhere, self.project.parent / "compiled")
        with contextlib.chdir(at or self.elsewhere), contextlib.redirect_stdout(io.StringIO()) as said:
            commands.main([str(word) for word in words])
        return said.getvalue()

    def refused(self, message: str, *words: object) -> None:
        """A command that goes with the other method alone says so in one line."""
        with pytest.raises(UserError, match=message) as found:
            self.say(*words)
        assert "\n" not in str(found.value)

    @property
    def sourced(self) -> list[object]:
        """--source by its whole name, of kinds that have one."""
        return [] if self.kind == DRAWN else ["--source", self.project / "source"]

    @property
    def metrics(self) -> dict[str, Any]:
        """The run's figures."""
        return json.loads((self.run / "metrics.json").read_text())

    @cached_property
    def opened(self) -> OpenedRun:
        """The run, with the pictures that it is tested on."""
        with contextlib.chdir(self.elsewhere):
            opened = OpenedRun(self.run)
            assert len(opened.samples)
        return opened

    @cached_property
    def photographs(self) -> Path:
        """The test pictures as files, below photographs/IDENTITY/MODALITY."""
        folder, samples = self.project / "photographs", self.opened.samples
        for row, content in enumerate(samples.encoded):
            file = folder / samples.identity(row) / samples.modality(row) / samples.names[row].replace("/", "-")
            file.parent.mkdir(parents=True, exist_ok=True)
            (file if file.suffix else file.with_name(f"{file.name}.png")).write_bytes(content)
        return folder

    @cached_property
    def described(self) -> dict[Path, Array]:
        """Their descriptors by file, as extract writes them."""
        file = self.project / "photographs.npz"
        self.say("extract", "--run", self.run, "--images", self.photographs, "--out", file)
        descriptors, samples, *_ = read_descriptors(file)
        assert all(samples.identity(row) == Path(name).parts[0] for row, name in enumerate(samples.names))
        return {self.photographs / name: row for name, row in zip(samples.names, descriptors, strict=True)}

    def files(self, modality: str) -> list[Path]:
        """The photographs of one modality."""
        return sorted(self.photographs.glob(f"*/{modality}/*"))

    def of(self, files: list[Path]) -> Array:
        """The descriptors of some photographs."""
        return np.stack([self.described[file] for file in files])


def said_apart(words: Sequence[object], at: Path, compiled: Path) -> str:
    """What a command prints that computes with JAX: a process has one engine. compiled: a folder of programs."""
    quickly = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": quickly,
        "JAX_COMPILATION_CACHE_DIR": str(compiled),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    environment.pop("KERAS_BACKEND", None)
    command = [sys.executable, "-m", "hicmd_tf", *map(str, words)]
    done = subprocess.run(command, cwd=at, env=environment, capture_output=True, text=True, check=False)
    lines = done.stderr.replace("\r", "\n").splitlines()
    if done.returncode == EXIT_CODE:
        raise UserError(next(line for line in lines if line.startswith("error: ")).removeprefix("error: "))
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module", params=map(parameter, RUNS))
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(request.param, tmp_path_factory.mktemp(str(request.param).replace(" ", "_")))


def main_rows(metrics: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {name: figures for name, figures in metrics.items() if "_to_" in name}


def in_table(found: dict[str, dict[str, float]], printed: str) -> bool:
    """Whether lines of the main table have the figures of every direction."""
    words = " ".join(printed.split())
    return all(" ".join(f"{100 * of[name]:.2f}" for name in FIGURES) in words for of in found.values())


def rows_in(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "evaluation.json").read_text())["rows"]


def opened(content: bytes) -> Array:
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB"))


def test_fit_leaves_the_figures_that_it_prints(place: Place) -> None:
    metrics, samples = place.metrics, place.opened.samples
    ways = main_rows(metrics)
    both = {"infrared_to_visible", "visible_to_infrared"}
    assert set(ways) == ({"infrared_to_visible"} if place.kind == "sysu_mm01" else both)
    assert metrics["steps"] == STEPS and metrics["identities"] == len(set(samples.identities.tolist())) > 2
    assert metrics["pictures"] == {m: len(samples.of(m)) for m in MODALITIES}
    assert in_table(ways, place.printed)
    for name in ("untrained", "raw_pixels", "colour_histogram", "chance"):
        assert metrics[name].keys() == ways.keys() and in_table(metrics[name], place.printed)
    for row in metrics["settings"]:
        low, high = row["between"]["rank1"]
        assert high - low > 0.2 and low <= row["mean"]["rank1"] <= high  # few people tell little
    assert ("not above chance" in place.printed) == any(metrics["at_chance"].values())
    with (place.run / "losses.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [*range(1, STEPS + 1)]


def test_a_run_goes_on_from_elsewhere(place: Place) -> None:
    longer = shutil.copytree(place.run, place.project / "longer")
    place.say("fit", *place.whole, "--run", longer, "--steps", STEPS + 1, "--no-report", "--resume")
    before, after = (folder.joinpath("losses.csv").read_text().splitlines() for folder in (place.run, longer))
    assert after[: len(before)] == before and len(after) == len(before) + 1
    assert json.loads((longer / "metrics.json").read_text())["steps"] == STEPS + 1
    assert not [*place.elsewhere.iterdir()]  # nothing is drawn or copied once more


def test_evaluate_and_baselines_repeat_the_figures(place: Place) -> None:
    before = place.metrics
    printed = place.say("evaluate", "--run", place.run)
    after, apart = place.metrics, dict.fromkeys(("provenance", "verification", "threshold"))
    assert {**after, **apart} == {**before, **apart}
    for one, again in zip(before["verification"], after["verification"], strict=True):
        # Similarities have other last digits where fit computed them with another engine, or as a graph.
        assert one["thresholds"] == pytest.approx(again["thresholds"], abs=1e-3)
        assert [one[name] for name in ("people", "same", "strangers")] == [
            again[name] for name in ("people", "same", "strangers")
        ]
    assert (before["threshold"] is None) == (after["threshold"] is None)
    assert in_table(main_rows(before), printed)
    printed = place.say("baselines", "--run", place.run)
    data = place.opened.config.data
    searches = published(data, place.opened.samples)
    crafted = hand_crafted_figures(place.opened.samples, searches, data.height, data.width)
    assert all(in_table(crafted[name], printed) for name in ("hog", "lomo"))
    assert all(in_table(before[name], printed) for name in ("raw_pixels", "colour_histogram", "chance"))


def test_reranking_is_a_row_more_and_the_same_from_the_run_and_from_its_descriptors(
    place: Place, tmp_path: Path
) -> None:
    place.say("evaluate", "--run", place.run, "--rerank", "--out", tmp_path / "run")
    rows = rows_in(tmp_path / "run")
    assert [row for row in rows if not row["reranked"]] == place.metrics["settings"]
    assert [row["reranked"] for row in rows] == [False, True] * (len(rows) // 2)
    file = tmp_path / "own.npz"
    if place.kind == DRAWN:
        write_descriptors(file, place.opened.descriptors, place.opened.samples)
    else:
        place.say("extract", "--run", place.run, "--data", place.kind, *place.sourced, "--out", file)
    place.say("evaluate", "--descriptors", file, "--data", place.kind, "--rerank", "--out", tmp_path / "file")
    for row, again in zip(rows, rows_in(tmp_path / "file"), strict=True):
        assert again["mean"] == pytest.approx(row["mean"])


def test_a_run_is_reproduced_to_the_bit(place: Place, tmp_path: Path) -> None:
    printed = place.say("reproduce", place.run, "--run", tmp_path / "again")
    assert printed.splitlines()[-1].startswith("reproduced to the bit")
    assert (tmp_path / "again" / "losses.csv").read_bytes() == (place.run / "losses.csv").read_bytes()


def test_a_step_that_fails_is_replayed(place: Place, tmp_path: Path) -> None:
    run = tmp_path / "failing"
    huge = ["--losses.same" if place.generates else "--losses.triplet", "1e39"]
    with pytest.raises(UserError, match=r"step 1: .* became .*hicmd replay --run \S*failing"):
        place.say("fit", *place.whole, "--run", run, *huge, "--steps", 2, "--no-report")
    printed = place.say("replay", "--run", run)
    failure = json.loads((run / "failure" / "failure.json").read_text())
    assert printed.startswith(f"step 1 and its {len(failure['pictures'])} pictures\n") and failure["step"] == 1
    assert all(f"{float(value):.6g}" in printed for value in failure["losses"].values())


@pytest.mark.filterwarnings("ignore:cameras .* took pictures of one person in both")
def test_data_are_checked(place: Place) -> None:
    if place.kind == DRAWN:
        with pytest.raises(UserError, match=DRAWN):
            place.say("check", place.kind, "source")
        return
    trial = ["--trial", 1] if DATA_SETS[place.kind].trials > 1 else []
    printed = place.say("check", place.kind, "source", *trial, at=place.project)
    for modality in MODALITIES:
        of = place.opened.samples.of(modality)
        counts = rf"test +{modality} +{len(set(of.identities.tolist()))} +{len(of)} "
        assert re.search(counts, printed), printed


def test_extracted_descriptors_are_those_of_the_model(place: Place) -> None:
    model = hicmd_tf.load(place.run)
    assert len(place.described) == len(place.opened.samples)
    for file, descriptor in place.described.items():
        expected = model.embed(opened(file.read_bytes())[None], file.parent.name)[0]
        np.testing.assert_allclose(descriptor, expected, atol=TOLERANCE)


def test_a_gallery_is_made_added_to_and_searched(place: Place, tmp_path: Path) -> None:
    gallery, run, rows = ["--index", tmp_path / "gallery"], ["--run", place.run], len(place.opened.samples)
    relative = ["--run", "run", "--images", place.photographs.name]
    assert f"{rows} pictures added" in place.say("search", "index", *gallery, *relative, at=place.project)
    assert "0 pictures added" in place.say("search", "add", *gallery, *run, "--images", place.photographs)
    for modality in MODALITIES:
        query = place.files(modality)[0]
        asked = ["--picture", query, "--modality", modality, "--json", "-k", rows, "--only", other(modality)]
        hits = json.loads(place.say("search", "query", *gallery, *run, *asked))[0]["hits"]
        files = [Path(hit["path"]) for hit in hits]
        assert sorted(files) == place.files(other(modality))
        cosines = place.of(files) @ place.described[query]
        np.testing.assert_allclose([hit["similarity"] for hit in hits], cosines, atol=TOLERANCE)
        assert (np.diff(cosines) <= TOLERANCE).all()
        (found,) = hicmd_tf.load(place.run).search(tmp_path / "gallery", query, modality, k=rows)
        assert [hit.entry.path for hit in found] == [hit["path"] for hit in hits]
        assert [(hit.mark, hit.probability) for hit in found] == [(hit["mark"], hit["probability"]) for hit in hits]


@pytest.mark.parametrize("pool", ["mean", "best"])
def test_tracks_are_judged_and_searched(place: Place, tmp_path: Path, pool: str) -> None:
    with pytest.raises(UserError, match="no picture of the test is in one"):
        place.say("evaluate", "--run", place.run, "--pool", pool)
    assert "tracks" not in place.metrics
    folder = shutil.copytree(place.photographs, tmp_path / "tracked")
    files = [path.relative_to(folder) for path in sorted(folder.glob("*/*/*"))]
    with (folder / "pictures.csv").open("w") as table:
        lines = csv.writer(table)
        lines.writerow(["path", "modality", "identity", "camera", "time", "track"])
        for second, file in enumerate(files):
            who, modality, _ = file.parts
            lines.writerow([file, modality, who, f"gate {modality}", second, f"{who} {modality} {second % 2}"])
    run, file = ["--run", place.run], tmp_path / "tracked.npz"
    place.say("extract", *run, "--images", folder, "--out", file)
    printed = place.say("evaluate", "--descriptors", file, "--data", "folder", "--pool", pool, "--out", tmp_path)
    descriptors, samples, *_ = read_descriptors(file)
    names = [samples.track(row) for row in range(len(samples))]
    tracks = sorted(set(names))
    assert f"{len(tracks)} tracks of {len(files)} pictures" in printed and samples.times.tolist() != []

    def similarity(one: str, other: str) -> float:
        these, others = (descriptors[[name == track for name in names]] for track in (one, other))
        if pool == "best":
            return float((these @ others.T).max())
        means = [of.mean(axis=0) / np.linalg.norm(of.mean(axis=0)) for of in (these, others)]
        return float(means[0] @ means[1])

    def among(track: str, modality: str) -> list[str]:
        return sorted((t for t in tracks if t.split()[-2] == modality), key=lambda t: -similarity(track, t))

    for row in rows_in(tmp_path):
        if row["setting"].startswith("track"):
            query, gallery = row["direction"].split("_to_")
            asked = [track for track in tracks if track.split()[-2] == query]
            right = [among(track, gallery)[0].split()[:-2] == track.split()[:-2] for track in asked]
            assert row["mean"]["rank1"] == pytest.approx(np.mean(right))

    gallery = ["--index", tmp_path / "gallery"]
    place.say("search", "index", *gallery, *run, "--images", folder)
    track = next(track for track in tracks if track.split()[-2] == "infrared")
    pictures = [folder / name for name, of in zip(samples.names, names, strict=True) if of == track]
    grouped = ["--together", "--group-by", "track", "--pool", pool, "--modality", "infrared", "-k", 999, "--json"]
    (found,) = json.loads(place.say("search", "query", *gallery, *run, "--picture", *pictures, *grouped))
    assert {hit["track"]: hit["pictures"] for hit in found["hits"]} == {
        t: names.count(t) for t in among(track, "visible")
    }
    similarities = [similarity(track, hit["track"]) for hit in found["hits"]]
    np.testing.assert_allclose([hit["similarity"] for hit in found["hits"]], similarities, atol=TOLERANCE)
    (found,) = json.loads(place.say("search", "query", *gallery, *run, "--picture", *pictures, *grouped, "--both"))
    assert {Path(left) for left in found["left_out"]} == {*pictures}


@pytest.fixture(scope="module")
def exports(place: Place) -> dict[str, str]:
    """Both exports beside the run, and what was printed."""
    onnx = ["--run", place.run, "--out", place.project / "onnx", "--precisions", "fp32", *place.sourced]
    return {
        "saved": place.say("export", "saved-model", "--run", "run", "--out", "saved", at=place.project),
        "onnx": place.say("export", "onnx", *onnx),
    }


def test_exports_are_checked_when_they_are_made_and_later(place: Place, exports: dict[str, str]) -> None:
    assert "SavedModel" in exports["saved"] and "ONNX fp32" in exports["onnx"]
    folders = [place.project / name for name in exports]
    printed = place.say("export", "check", "--run", place.run, *folders, *place.sourced)
    table = {line.split("  ")[0]: line.split() for line in printed.splitlines()}
    expected = [f"{100 * of[name]:.2f}" for of in main_rows(place.metrics).values() for name in ("rank1", "mAP")]
    for name in ("Keras", "SavedModel", "ONNX fp32"):
        assert table[name][-len(expected) :] == expected and str(len(place.opened.samples)) in table[name]


@pytest.mark.parametrize(("artefact", "name"), [("saved", "SavedModel"), ("onnx", "ONNX_fp32")])
def test_an_exported_model_describes_and_is_judged_as_the_run_is(
    place: Place, exports: dict[str, str], artefact: str, name: str
) -> None:
    folder = place.project / artefact
    for model in open_artefacts(folder):
        for modality in MODALITIES:
            files = place.files(modality)
            found = model.describe([file.read_bytes() for file in files], modality)
            np.testing.assert_allclose(found, place.of(files), atol=TOLERANCE)
    place.say("evaluate", "--model", folder, *place.sourced)
    for row, expected in zip(rows_in(folder / name), place.metrics["settings"], strict=True):
        assert row["mean"] == pytest.approx(expected["mean"], abs=1e-6)
    if place.kind != DRAWN:
        with pytest.raises(UserError, match=r"no folder of pictures is named, .* name it with --source$"):
            place.say("evaluate", "--model", folder)


def test_weights_go_to_torch_and_back(place: Place, tmp_path: Path) -> None:
    if not place.generates:
        place.refused(NO_CODES, "convert", "--to-torch", place.run, tmp_path / "released")
        return
    pytest.importorskip("torch", reason="PyTorch is not installed: weights are not converted")
    place.say("convert", "--to-torch", place.run, tmp_path / "released")
    place.say("convert", tmp_path / "released", tmp_path / "back", "--config", place.run / "config.yaml")
    place.say("evaluate", "--run", tmp_path / "back", at=place.project)
    back = json.loads((tmp_path / "back" / "metrics.json").read_text())
    for way, expected in main_rows(place.metrics).items():
        assert back[way] == pytest.approx(expected, abs=1e-6)


def test_every_figure_is_made(place: Place, tmp_path: Path) -> None:
    printed = place.say("visualize", "--run", place.run, "all", "--out", tmp_path).splitlines()
    kinds = [name for name, kind in figures.KINDS.items() if place.generates or not kind.generation]
    assert len(printed) > len(kinds) and all(Path(file).stat().st_size > 0 for file in printed)
    for name in figures.KINDS.keys() - kinds:
        place.refused(NO_CODES, "visualize", "--run", place.run, name, "--out", tmp_path)


def test_the_report_has_the_figures(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "KINDS", {})  # they have their own test
    place.say("report", "--run", place.run)
    page = (place.run / "report.html").read_text()
    page = " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.S).split())
    for name, words in (("raw_pixels", "nearest raw pixels"), ("chance", "chance")):
        for of in place.metrics[name].values():
            assert f"{words} {' '.join(f'{100 * of[figure]:.1f}' for figure in SHOWN)}" in page
    assert all(f"{100 * row['mean']['mAP']:.1f}" in page for row in place.metrics["settings"])
    assert bool(re.search("(is|are) not above chance", page)) == any(place.metrics["at_chance"].values())


def test_codes_are_measured(place: Place, tmp_path: Path) -> None:
    measured = ["disentangle", "--run", place.run, "--pairs", 6, "--observer-steps", 2, "--out", tmp_path]
    if not place.generates:
        place.refused(NO_CODES, *measured)
        return
    place.say(*measured)
    found = json.loads((tmp_path / "disentangle.json").read_text())
    assert found["people"] == place.metrics["identities"] and found["training steps"] == STEPS
    assert found["pictures"] == len(place.opened.samples) and found["figures"]
    assert ("not measured" in found) == (place.kind != DRAWN)
    sections = {figure["section"] for figure in found["figures"]}
    assert {"blocks", "intervention"} <= sections if place.kind == DRAWN else not sections & {"blocks", "intervention"}
    assert "independence" in sections


def test_the_explorer_ranks_and_mixes(place: Place) -> None:
    """Its page is tested in a browser: NiceGUI begins once in a process, and here is one for each kind."""
    studio = Studio(place.opened)
    run, identities = studio.run, studio.run.samples.identities
    for modality in MODALITIES:
        row = int(run.rows(modality)[0])
        hits = studio.search(row).hits
        rows = [hit.row for hit in hits]
        assert sorted(rows) == run.rows(other(modality)).tolist()
        cosines = run.descriptors[rows] @ run.descriptors[row]
        np.testing.assert_allclose([hit.similarity for hit in hits], cosines, atol=TOLERANCE)
        assert [hit.right for hit in hits] == (identities[rows] == identities[row]).tolist()
        if not place.generates:
            continue
        codes = run.model.encode(run.pictures(np.array([row])), modality)
        np.testing.assert_array_equal(studio.mixed(row, row, Mixture()), denormalise(run.model.decode(*codes)[0]))


def test_a_search_reports_its_trial_beside_chance(place: Place, tmp_path: Path) -> None:
    drawn = ["--data.synthetic.identities", 16] if place.kind == DRAWN else []
    few = ["--data.held_out", 2, "--steps", 1, "--intervals", 1, "--max-trials", 1]
    few += [] if place.generates else ["--embedding.people", 2]
    printed = place.say("tune", *place.whole, *drawn, *few, "--out", tmp_path / "search")
    metrics = json.loads((tmp_path / "search" / "runs" / "trial_0" / "metrics.json").read_text())
    assert metrics["split"] == "held_out" and metrics["identities"] == 2
    with (tmp_path / "search" / "trials.csv").open() as file:
        (trial,) = csv.DictReader(file)
    assert float(trial["objective"]) == pytest.approx(metrics["objective"], abs=1e-6)
    assert re.search(r"mAP %: chance \d+\.\d\d, nearest raw pixels \d+\.\d\d", printed)


def test_an_ablation_is_a_row_beside_chance(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = ["--rows", "original", "--steps", 1, "--seeds", 1, "--out", tmp_path / "grid"]
    if not place.generates:
        place.refused("method is embedding: the rows leave out losses", "ablations", *place.whole, *grid)
        return
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    printed = place.say("ablations", *place.whole, *grid)
    metrics = json.loads((tmp_path / "grid" / "runs" / "original_1" / "metrics.json").read_text())
    for name, of in (("original", metrics), ("chance", metrics["chance"])):
        row = next(line for line in printed.splitlines() if line.startswith(f"{name} "))
        cells = {cell.rstrip("*") for cell in row.split()}
        assert {f"{100 * row[key]:.1f}" for row in main_rows(of).values() for key in ("rank1", "mAP")} <= cells


def test_a_run_is_compared_with_one_that_is_trained(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    other, out = CONFIGURATIONS[EMBEDDING], tmp_path / "out"
    given = [*place.whole[2:], "--steps", STEPS, "--seeds", 1, "--no-report", "--out", out]
    printed = place.say("compare", place.run, other, *given)
    found = json.loads((out / "comparison.json").read_text())
    runs = [run for row in found["rows"] for run in row["runs"]]
    names = ["run", other.stem] if place.generates else [other.stem]  # then both are seeds of one row
    assert [row["name"] for row in found["rows"]] == names and len(runs) == 2
    for run, folder in zip(runs, (place.run, out / "runs" / f"{other.stem}_1"), strict=True):
        metrics = json.loads((folder / "metrics.json").read_text())
        assert run["figures"].keys() == main_rows(metrics).keys() and run["training_seconds"] > 0
        assert all(run["figures"][way] == pytest.approx(of) for way, of in main_rows(metrics).items())
    (cells,) = [line.split() for line in printed.splitlines() if line.startswith("chance ")]
    assert f"{100 * next(iter(main_rows(place.metrics['chance']).values()))['mAP']:.1f}" in cells
    assert found["without_learning"]["hog"].keys() == main_rows(place.metrics).keys()


def test_a_run_is_asked_for_people_drawn_otherwise_and_for_its_own(place: Place, tmp_path: Path) -> None:
    on = [] if place.kind == DRAWN else ["--on", f"{place.kind}={place.project / 'source'}"]
    drawn = ["--config", PLUMBING, "--data.directory", tmp_path / "data"]
    words = ["carry-over", place.run, *drawn, *on, "--out", tmp_path / "out"]
    printed = place.say(*words)
    found = json.loads((tmp_path / "out" / "carry_over.json").read_text())
    (known,) = [run["found"] for row in found["rows"] for run in row["runs"]]
    assert len(known) == 9 + len(on) // 2 and known.keys() == found["people"].keys()
    assert place.say(*words) == printed
    if on:
        *_, name = known
        assert known[name].keys() == main_rows(place.metrics).keys()
        for way, of in main_rows(place.metrics).items():
            assert known[name][way]["mean"] == pytest.approx(of, abs=1e-6)
            for row, simple in (("raw pixels", "raw_pixels"), ("chance", "chance")):
                assert found["without_learning"][row][name][way] == pytest.approx(place.metrics[simple][way])
    else:
        seed = ["--data.synthetic.seed", place.opened.config.data.synthetic.seed]
        place.refused("the run knows drawn people of seed 777", *words, *seed)


@pytest.mark.slow
@pytest.mark.xdist_group("jax on folders")
@pytest.mark.parametrize("kind", [kind for kind in TREES if kind != DRAWN])
def test_jax_trains_on_data_sets_from_folders(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("jax", reason="JAX is not installed: pip install 'hicmd-tf[jax]'")
    TREES[kind](tmp_path / "source")
    given = ["--config", PLUMBING, "--data.name", kind, "--data.source", "source"]
    fit = ["fit", *given, "--run", "run", "--steps", STEPS, "--no-report", "--engine", "jax"]
    printed = said_apart(fit, tmp_path, tmp_path / "compiled")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["steps"] == STEPS and in_table(main_rows(metrics), printed)
