"""One input for every entry point that is accepted: what the broken ones are made from, and what warms up."""

import shutil
from collections.abc import Callable
from pathlib import Path

from bench.fuzzing.cases import Material

Arguments = Callable[[Material, Path], list[str]]


def _words(*words: str | Path) -> list[str]:
    return [str(word) for word in words]


def copied(source: Path, target: Path) -> Path:
    """A folder of the material that may be broken."""
    return Path(shutil.copytree(source, target))


def _picture(material: Material) -> Path:
    return next(iter(sorted((material.trees["folder"] / "test").rglob("*.png"))))


WHOLE: dict[str, Arguments] = {
    "hicmd_tf.fit": lambda m, f: _words("--config", m.run / "config.yaml", "--run", f / "new"),
    "hicmd_tf.evaluate": lambda m, f: _words("--run", copied(m.run, f / "run"), "--allow-trained", "--rerank"),
    "hicmd_tf.extract": lambda m, f: _words(
        "--run", m.run, "--images", m.trees["folder"] / "test", "--modality", "visible", "--out", f / "out.npz"
    ),
    "hicmd_tf.convert": lambda m, f: _words("--config", m.run / "config.yaml", m.trees["regdb"], f / "new"),
    "hicmd_tf.search": lambda m, f: _words(
        "query", "--index", copied(m.gallery, f / "gallery"), "--descriptors", m.descriptors, "-k", "3"
    ),
    "hicmd_tf.visualize": lambda m, f: _words("curves", "--run", m.run, "--out", f / "out", "--seed", "1"),
    "hicmd_tf.disentangle": lambda m, f: _words("--run", m.run, "--out", f / "out", "--pairs", "20", "--seed", "1"),
    "hicmd_tf.explore": lambda m, f: _words("--run", m.run, "--port", "0", "--no-open"),
    "hicmd_tf.replay": lambda m, f: _words("--run", m.run),
    "hicmd_tf.reproduce": lambda m, f: _words(m.run, "--run", f / "new"),
    "hicmd_tf.baselines": lambda m, f: _words("--config", m.run / "config.yaml"),
    "hicmd_tf.data.check": lambda m, f: _words("regdb", m.trees["regdb"], "--trial", "1"),
    "hicmd_tf.drawn_people.preview": lambda m, f: _words(
        "--preview", f / "sheet.png", "--height", "32", "--width", "16"
    ),
    "hicmd_tf.tuning.search": lambda m, f: _words(
        "--config",
        m.run / "config.yaml",
        "--out",
        f / "out",
        "--max-trials",
        "1",
        "--intervals",
        "2",
        "--data.held_out",
        "2",
        "--batch.negatives",
        "0",
    ),
    "hicmd_tf.tuning.ablations": lambda m, f: _words(
        "--config", m.run / "config.yaml", "--out", f / "out", "--seeds", "1,2", "--workers", "1"
    ),
    "hicmd_tf.export.saved_model": lambda m, f: _words("--run", m.run, "--out", f / "out", "--identities", "2"),
    "hicmd_tf.export.onnx": lambda m, f: _words("--run", m.run, "--out", f / "out", "--precisions", "fp32"),
    "hicmd_tf.export.check": lambda m, f: _words("--run", m.run, m.saved_model, "--identities", "2"),
    "hicmd_tf.export.client": lambda m, f: _words(_picture(m), "--url", "http://127.0.0.1:1", "--modality", "visible"),
    "hicmd_tf.export.serve": lambda m, f: _words("--model", m.saved_model.parent, "--port", "0", "--grpc-port", "0"),
    "bench.train_step": lambda m, f: _words("--config", "released", "--rounds", "1", "--json", f / "out.json"),
    "bench.inference": lambda m, f: _words("--run", m.run, "--rounds", "1", "--json", f / "out.json"),
    "bench.metrics": lambda m, f: _words("--case", "regdb", "--json", f / "out.json"),
    "bench.scaling": lambda m, f: _words("--rounds", "1", "--out", f / "out.png"),
    "bench.search": lambda m, f: _words("--rows", "100", "--queries", "5", "--json", f / "out.json"),
    "bench.health": lambda m, f: _words(
        *("--config", m.run / "config.yaml", "--steps", "800"), *("--run", f / "new", "--out", f / "out.png")
    ),
    "bench.kills": lambda m, f: _words("--config", m.run / "config.yaml", "--run", f / "new", "--kills", "1"),
    "hicmd_tf.load": lambda m, f: _words(m.run),
    "hicmd_tf.explore, picture": lambda m, f: _words(_picture(m)),
}
REFUSED = ("hicmd_tf.convert", "hicmd_tf.export.client", "hicmd_tf.reproduce")
"""Whose whole input is refused all the same: it takes PyTorch's files, a server that runs, a run that has trained."""
