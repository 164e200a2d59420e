"""Run folders: files that are cut, of another kind, missing, or of other content than was written."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from bench.fuzzing.cases import Input, Material, Target
from bench.fuzzing.damage import Change, blows, broken, changes, json_texts, told
from bench.fuzzing.places import LINKED, PLACES, story
from bench.fuzzing.targets.configurations import TEXTS
from bench.fuzzing.whole import copied

KIND = "run folder"

WEIGHTS = ("checkpoints/ckpt-0.index", "checkpoints/ckpt-0.data-00000-of-00001", "checkpoints/ckpt-0.sha256")
NEEDED = ("config.yaml", *WEIGHTS)
JSON = ("failure/failure.json", "metrics.json", "identities.json", "untrained.json", "environment.json")
FAILURE = ("failure/config.yaml", "failure/batch.npz", "failure/ckpt-0.index", "failure/ckpt-0.data-00000-of-00001")
TABLES = ("losses.csv", "evaluations.csv")
ROWS = ("1,2", "a,b,c", "", ",,,,", '"', "nan," * 12, "1e400," * 12, "\0", "-1," * 12, "1;2;3", "\ufeff", "9" * 200_000)

USES: dict[str, tuple[tuple[str, ...], Callable[[Path, Path, Material], list[Any]]]] = {
    "hicmd_tf.evaluate": ((*NEEDED, *JSON), lambda run, f, m: ["--run", run]),
    "hicmd_tf.evaluate elsewhere": (
        ("config.yaml", "identities.json"),
        lambda run, f, m: ["--run", run, "--data", "folder", "--source", m.trees["folder"], "--out", f / "out"],
    ),
    "hicmd_tf.extract": (
        NEEDED,
        lambda run, f, m: ["--run", run, "--images", m.trees["folder"], "--out", f / "out.npz"],
    ),
    "hicmd_tf.search": (
        NEEDED,
        lambda run, f, m: ["index", "--index", f / "new", "--run", run, "--images", m.trees["folder"] / "test"],
    ),
    "hicmd_tf.visualize": (
        (*NEEDED, *TABLES, "untrained.json"),
        lambda run, f, m: ["curves", "--run", run, "--out", f / "out"],
    ),
    "hicmd_tf.visualize report": (JSON, lambda run, f, m: ["report", "--run", run]),
    "hicmd_tf.disentangle": (NEEDED, lambda run, f, m: ["--run", run, "--out", f / "out"]),
    "hicmd_tf.explore": (NEEDED, lambda run, f, m: ["--run", run, "--port", "0", "--no-open"]),
    "hicmd_tf.fit": (
        (*NEEDED, *JSON),
        lambda run, f, m: ["--config", m.run / "config.yaml", "--run", run, "--resume", "--no-report"],
    ),
    "hicmd_tf.replay": ((*FAILURE, "failure/failure.json"), lambda run, f, m: ["--run", run]),
    "hicmd_tf.convert": (NEEDED, lambda run, f, m: ["--to-torch", run, f / "new"]),
    "hicmd_tf.export.saved_model": ((*NEEDED, "identities.json"), lambda run, f, m: ["--run", run, "--out", f / "new"]),
    "hicmd_tf.export.onnx": ((*NEEDED, "identities.json"), lambda run, f, m: ["--run", run, "--out", f / "new"]),
    "hicmd_tf.export.check": (NEEDED, lambda run, f, m: ["--run", run, m.saved_model, "--identities", "2"]),
    "hicmd_tf.load": (NEEDED, lambda run, f, m: [run]),
}
"""Files that matter to each command, and its arguments."""
SHARES = {"hicmd_tf.load": 3.0, "hicmd_tf.visualize report": 2.0, "hicmd_tf.visualize": 1.5}


def _input(what: str, entry: str, file: str, wreck: Callable[[Path, Path], object]) -> Input:
    """wreck: (file, folder of the case)."""

    def build(material: Material, folder: Path) -> list[str]:
        run = copied(material.run, folder / "run")
        (run / file).parent.mkdir(exist_ok=True)
        (run / file).touch()
        wreck(run / file, folder)
        return [str(word) for word in USES[entry][1](run, folder, material)]

    return Input(f"{file}: {what}", build)


def _placed(entry: str, file: str, place: str) -> Input:
    def wreck(path: Path, folder: Path) -> None:
        path.unlink()
        (folder / "other").mkdir()
        path.symlink_to(PLACES[place](folder / "other"))

    return _input(story(place), entry, file, wreck)


def _gone(entry: str, file: str) -> Input:
    return _input("missing", entry, file, lambda path, _: path.unlink())


def _empty(entry: str) -> Input:
    return _input("the whole folder is gone", entry, "checkpoints/x", lambda path, _: shutil.rmtree(path.parent))


def _blown(entry: str, file: str, damages: Any) -> Input:
    return _input(told(damages), entry, file, lambda path, _: path.write_bytes(broken(path.read_bytes(), damages)))


def _replaced(entry: str, file: str, name: str, content: bytes) -> Input:
    return _input(name, entry, file, lambda path, _: path.write_bytes(content))


def _changed(entry: str, file: str, change: Change) -> Input:
    def wreck(path: Path, _: Path) -> None:
        path.write_text(json.dumps(change.of(json.loads(path.read_text()))))

    return _input(str(change), entry, file, wreck)


def _row(entry: str, file: str, at: float, row: str) -> Input:
    def wreck(path: Path, _: Path) -> None:
        lines = path.read_text().splitlines()
        lines[min(int(at * len(lines)), len(lines) - 1)] = row
        path.write_text("\n".join(lines), errors="surrogatepass")

    return _input(f"row {at:.2f} is {row[:20]!r}", entry, file, wreck)


def _drawn(entry: str, files: tuple[str, ...]) -> st.SearchStrategy[Input]:
    share = st.floats(0, 1, exclude_max=True, width=32)
    places = st.sampled_from(LINKED)
    any_file = st.sampled_from(files)
    kinds = [
        st.builds(lambda file, damages: _blown(entry, file, damages), any_file, blows()),
        st.builds(lambda file, damages: _blown(entry, file, damages), any_file, blows("flip")),
        st.builds(lambda file, place: _placed(entry, file, place), any_file, places),
        any_file.map(lambda file: _gone(entry, file)),
    ]
    texts = {**json_texts(), **TEXTS}
    if any(file in JSON for file in files):
        told_files = st.sampled_from([file for file in files if file in JSON])
        kinds += 2 * [st.builds(lambda file, change: _changed(entry, file, change), told_files, changes())]
        kinds.append(
            st.builds(
                lambda file, name: _replaced(entry, file, name, texts[name]),
                told_files,
                st.sampled_from([*json_texts()]),
            )
        )
    if any(file in TABLES for file in files):
        tables = st.sampled_from([file for file in files if file in TABLES])
        kinds += 2 * [st.builds(lambda file, at, row: _row(entry, file, at, row), tables, share, st.sampled_from(ROWS))]
    if "config.yaml" in files:
        kinds.append(st.sampled_from([*TEXTS]).map(lambda name: _replaced(entry, "config.yaml", name, TEXTS[name])))
    return st.one_of(kinds)


def targets() -> list[Target]:
    """Every command that opens a run."""
    return [
        Target(entry.partition(" ")[0], KIND, SHARES.get(entry, 1.0), _drawn(entry, files), [_empty(entry)])
        for entry, (files, _) in USES.items()
    ]
