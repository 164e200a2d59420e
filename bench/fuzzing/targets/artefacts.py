"""Exported models: SavedModels and ONNX files whose graphs, weights or metadata are damaged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from bench.fuzzing.cases import Input, Material, Target
from bench.fuzzing.damage import Change, blows, broken, changes, json_texts, told
from bench.fuzzing.places import LINKED, PLACES, story
from bench.fuzzing.whole import copied

KIND = "exported model"

METADATA = "metadata.json"
FILES = {
    "saved_model": (
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
        "assets.extra/tf_serving_warmup_requests",
        "assets.extra/metadata.json",
    ),
    "onnx": ("visible.onnx", "infrared.onnx", "metadata.json"),
}
USES: dict[str, Callable[[Path, Path, Material], list[Any]]] = {
    "hicmd_tf.evaluate": lambda model, f, m: [
        "--model", model, "--data", "folder", "--source", m.trees["folder"], "--out", f / "out"
    ],
    "hicmd_tf.export.check": lambda model, f, m: ["--run", m.run, model, "--identities", "2"],
    "hicmd_tf.export.serve": lambda model, f, m: ["--model", model.parent, "--port", "0", "--grpc-port", "0"],
}  # fmt: skip


def _input(what: str, entry: str, kind: str, file: str, wreck: Callable[[Path, Path], object]) -> Input:
    def build(material: Material, folder: Path) -> list[str]:
        source = material.saved_model if kind == "saved_model" else material.onnx
        model = copied(source, folder / "model" / "1")
        wreck(model / file, folder)
        return [str(word) for word in USES[entry](model, folder, material)]

    return Input(f"{kind}, {file}: {what}", build)


def _drawn(entry: str, kind: str) -> st.SearchStrategy[Input]:
    files, metadata = st.sampled_from(FILES[kind]), next(file for file in FILES[kind] if METADATA in file)

    def blown(file: str, damages: Any) -> Input:
        return _input(
            told(damages),
            entry,
            kind,
            file,
            lambda path, _: path.write_bytes(broken(path.read_bytes(), damages)),
        )

    def placed(file: str, place: str) -> Input:
        def wreck(path: Path, folder: Path) -> None:
            path.unlink()
            (folder / "other").mkdir()
            path.symlink_to(PLACES[place](folder / "other"))

        return _input(story(place), entry, kind, file, wreck)

    def changed(change: Change) -> Input:
        def wreck(path: Path, _: Path) -> None:
            path.write_text(json.dumps(change.of(json.loads(path.read_text()))))

        return _input(str(change), entry, kind, metadata, wreck)

    def replaced(name: str) -> Input:
        return _input(name, entry, kind, metadata, lambda path, _: path.write_bytes(json_texts()[name]))

    places = st.sampled_from(LINKED)
    return st.one_of(
        st.builds(blown, files, blows()),
        st.builds(placed, files, places),
        changes().map(changed),
        st.sampled_from([*json_texts()]).map(replaced),
    )


def targets() -> list[Target]:
    """Every command that opens one."""
    kinds = [(entry, kind) for entry in USES for kind in FILES if (entry, kind) != ("hicmd_tf.export.serve", "onnx")]
    return [Target(entry, KIND, 1.0, _drawn(entry, kind)) for entry, kind in kinds]
