"""The whole things that are broken: a tiny run with weights of chance, data sets of noise, exports, a gallery."""

import csv
import json
import math
from pathlib import Path
from typing import Any

from bench.fuzzing.cases import Material

SMOKE = Path(__file__).parents[2] / "tests" / "fixtures" / "smoke.yaml"
LOSSES = ("same", "cross", "cycle", "code", "kl", "adversarial", "cross_entropy", "triplet", "accuracy")
SCORES = ("real_score", "fake_score", "alpha")


def make_material(folder: Path) -> Material:
    """Makes all of it in an empty folder, by the commands that users have; takes about a minute."""
    run, data, trees = folder / "run", folder / "data", _trees(folder / "trees")
    _make_run(run, data)
    _command("hicmd_tf.evaluate", "--run", run)
    _add_logs(run)
    pictures, descriptors = trees["folder"] / "test", folder / "descriptors.npz"
    _command("hicmd_tf.extract", "--run", run, "--images", pictures, "--out", descriptors)
    _command("hicmd_tf.search.__main__", "index", "--index", folder / "gallery", "--descriptors", descriptors)
    _command("hicmd_tf.export.saved_model", "--run", run, "--out", folder / "served")
    _command("hicmd_tf.export.onnx", "--run", run, "--out", folder / "onnx", "--precisions", "fp32")
    permutations = folder / "rand_perm_cam.mat"
    write_permutations(permutations)
    return Material(
        run, data, trees, descriptors, folder / "gallery", folder / "served" / "1", folder / "onnx", permutations
    )


def _command(module: str, *arguments: str | Path) -> None:
    from importlib import import_module

    import_module(module).main([str(argument) for argument in arguments])


def _trees(folder: Path) -> dict[str, Path]:
    from tests.data.drawn_trees import TREES

    makers: dict[str, Any] = TREES
    return {name: make(folder / name) for name, make in makers.items()}


def _make_run(run: Path, data: Path) -> None:
    import keras

    from hicmd_tf.config import load
    from hicmd_tf.engines.tensorflow.hicmd import HiCMD
    from hicmd_tf.files import write_json
    from hicmd_tf.method.networks.build import build_networks
    from hicmd_tf.provenance.failure import write_failure
    from hicmd_tf.runs.checkpoints import Checkpoints
    from hicmd_tf.runs.folder import RunFolder
    from hicmd_tf.training.experiment import prepare, set_up_tensorflow
    from hicmd_tf.training.optimisers import make_optimisers

    config = load(SMOKE, {"data.directory": str(data)})
    set_up_tensorflow(config)
    folder = RunFolder(run)
    folder.begin(config, resume=False)
    keras.utils.set_random_seed(0)
    model = HiCMD(build_networks(config.networks, classes=6), config)
    model.compile(make_optimisers(config.optimisers))
    Checkpoints(model, folder.checkpoints).save()
    write_json(folder.identities, {"people": "synthetic_vi, seed 0", "identities": [101, 102]})
    write_failure(folder.failure, prepare(config), 1, {"same": math.nan}, [])


def _add_logs(run: Path) -> None:
    """The tables that training writes, with made-up numbers: nothing was trained."""
    metrics: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    directions = {key: value for key, value in metrics.items() if "_to_" in key}
    (run / "untrained.json").write_text(json.dumps(directions))
    figures = [f"{direction}_{name}" for direction in directions for name in directions[direction]]
    for name, columns in (("losses.csv", [*LOSSES, *SCORES]), ("evaluations.csv", figures)):
        with (run / name).open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["step", *columns])
            writer.writerows([[step, *[0.5 / step] * len(columns)] for step in (1, 2, 3)])


def write_permutations(file: Path) -> None:
    """SYSU-MM01's cell arrays for six cameras and eight people with two pictures each."""
    import numpy as np
    from scipy.io import savemat

    cells = np.empty((6, 1), object)
    for camera in range(6):
        people = np.empty((8, 1), object)
        for person in range(8):
            people[person, 0] = np.tile([1, 2], (10, 1))
        cells[camera, 0] = people
    savemat(file, {"rand_perm_cam": cells})
