"""The entry points by name, how each is asked, and what in it takes long and is stood in for.

A command whose input is accepted would train, draw or export. What it does at its end is replaced by `Accepted`, and
the networks' arithmetic by descriptors of chance: all that reads and judges the input is the real thing.
"""

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from bench.fuzzing.server import ENTRY, ask_server
from hicmd_tf.errors import run_command

COMMANDS = {
    "hicmd_tf.fit": "hicmd_tf.fit",
    "hicmd_tf.evaluate": "hicmd_tf.evaluate",
    "hicmd_tf.extract": "hicmd_tf.extract",
    "hicmd_tf.convert": "hicmd_tf.convert.__main__",
    "hicmd_tf.search": "hicmd_tf.search.__main__",
    "hicmd_tf.visualize": "hicmd_tf.visualize.__main__",
    "hicmd_tf.disentangle": "hicmd_tf.disentangle",
    "hicmd_tf.explore": "hicmd_tf.explore",
    "hicmd_tf.replay": "hicmd_tf.replay",
    "hicmd_tf.reproduce": "hicmd_tf.reproduce",
    "hicmd_tf.baselines": "hicmd_tf.baselines",
    "hicmd_tf.data.check": "hicmd_tf.data.check",
    "hicmd_tf.drawn_people.preview": "hicmd_tf.drawn_people.preview",
    "hicmd_tf.tuning.search": "hicmd_tf.tuning.search",
    "hicmd_tf.tuning.ablations": "hicmd_tf.tuning.ablations",
    "hicmd_tf.export.saved_model": "hicmd_tf.export.saved_model",
    "hicmd_tf.export.onnx": "hicmd_tf.export.onnx",
    "hicmd_tf.export.check": "hicmd_tf.export.check",
    "hicmd_tf.export.client": "hicmd_tf.export.client",
    "hicmd_tf.export.serve": "hicmd_tf.export.serve",
    "bench.train_step": "bench.train_step",
    "bench.inference": "bench.inference",
    "bench.metrics": "bench.metrics",
    "bench.scaling": "bench.scaling",
    "bench.search": "bench.search",
    "bench.health": "bench.health",
    "bench.kills": "bench.kills",
}
"""Modules with a `main(arguments)`, by what is typed behind `python -m`."""

ENDS = (
    "hicmd_tf.training.run._train_on",
    "hicmd_tf.provenance.replaying.LastGood",
    "hicmd_tf.disentanglement.measure.measure",
    "hicmd_tf.explorer.server.serve",
    "hicmd_tf.drawn_people.preview.contact_sheet",
    "hicmd_tf.tuning.tuner.WeightedModel",
    "hicmd_tf.tuning.tuner.GridModel",
    "hicmd_tf.export.saved_model.save",
    "hicmd_tf.export.onnx.save",
    "hicmd_tf.export.serve._serve",
    "hicmd_tf.export.check._refuse_beyond",
    "bench.train_step.alone",
    "bench.inference._branch",
    "bench.scaling.alone",
    "bench.search.measure",
    "bench.metrics.measure",
)
"""What begins when an input has been accepted."""
STARTING = ("hicmd_tf.fit", "bench.metrics", "bench.kills")
"""Modules that then start processes."""
LARGEST_WIDTH = 64  # of networks that are built


class Accepted(BaseException):
    """The input is valid, and what would come now takes long."""


def ask_command(entry: str, arguments: Sequence[str]) -> None:
    """Runs a command as a terminal does. Raises SystemExit with its exit code, or `Accepted`."""
    main = importlib.import_module(COMMANDS[entry]).main
    with patch.object(sys, "argv", [entry, *arguments]):
        run_command(lambda: main(list(arguments)))


def _run(work: Callable[[], object]) -> None:
    """Something that is no command, whose mistakes are told as a command's are."""

    def main() -> None:
        work()

    run_command(main)


def ask_load(_: str, arguments: Sequence[str]) -> None:
    """`hicmd_tf.load`, and a picture described."""
    import hicmd_tf

    _run(lambda: hicmd_tf.load(arguments[0]))


def ask_picture(_: str, arguments: Sequence[str]) -> None:
    """What the explorer's page does with a file that is handed in."""
    from hicmd_tf.explorer.upload import picture_of

    _run(lambda: picture_of(Path(arguments[0]).read_bytes(), 32, 16))


def ask_weights(_: str, arguments: Sequence[str]) -> None:
    """What networks.resnet_weights names."""
    from hicmd_tf.method.networks.pretrained import read_resnet

    _run(lambda: read_resnet(arguments[0]))


ENTRIES: dict[str, Callable[[str, Any], None]] = {
    **dict.fromkeys(COMMANDS, ask_command),
    "hicmd_tf.load": ask_load,
    "hicmd_tf.explore, picture": ask_picture,
    "networks.resnet_weights": ask_weights,
    ENTRY: ask_server,
}


@contextmanager
def standing_in(data: Path) -> Iterator[None]:
    """Puts the stand-ins in place. data: folder of prepared pictures; others are not drawn."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        for name in ENDS:
            stack.enter_context(patch(name, _accept))
        none_starts = SimpleNamespace(**{**vars(subprocess), "run": _accept, "Popen": _accept})
        for module in STARTING:
            stack.enter_context(patch(f"{module}.subprocess", none_starts))
        for name, made in _replacements(data).items():
            stack.enter_context(patch(name, made))
        yield


def _accept(*_: Any, **__: Any) -> Any:
    raise Accepted


def _replacements(data: Path) -> dict[str, Any]:
    import numpy as np
    import tensorflow as tf

    from hicmd_tf.data.sources.synthetic_vi import SyntheticVi
    from hicmd_tf.method.networks.build import build_networks

    draw, random = SyntheticVi.divided, np.random.default_rng(0)

    def describe(model: Any, modality: str, x: Any) -> Any:
        length = getattr(model, "length", None) or model.features.head.sizes["embedding"]
        return tf.math.l2_normalize(tf.constant(random.normal(size=(len(x), length)), tf.float32), axis=1)

    def described(artefact: Any, samples: Any) -> Any:
        rows = random.normal(size=(len(samples), artefact.metadata["descriptor"]["length"]))
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def drawn(data_set: Any, config: Any) -> Any:
        known = config.synthetic.identities == 12 and config.synthetic.images_per_modality == 2
        return draw(data_set, config) if known and config.directory == str(data) else _accept()

    def build(config: Any, *rest: Any, **options: Any) -> Any:
        sizes = (*config.prototype_encoder.widths, *config.attribute_encoder.widths, *config.decoder.widths)
        counts = (config.discriminator.width, config.feature_learning.embedding, *config.feature_learning.widths)
        small = max(*sizes, *counts) <= LARGEST_WIDTH
        return build_networks(config, *rest, **options) if small else _accept()

    return {
        "hicmd_tf.retrieval.embed._describe": describe,
        "hicmd_tf.export.artefacts.descriptors": described,
        "hicmd_tf.data.sources.synthetic_vi.SyntheticVi.divided": drawn,
        "hicmd_tf.runs.restore.build_networks": build,
        "hicmd_tf.provenance.replaying.build_networks": build,
        "hicmd_tf.training.experiment.build_networks": build,
        "hicmd_tf.convert.run.build_networks": build,
        "hicmd_tf.visualize.figures.all_figures": lambda *_: [],
    }
