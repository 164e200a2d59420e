"""`python -m hicmd_tf.evaluate`: figures of a run, or of descriptors, as the data set's published tables have them.

  python -m hicmd_tf.evaluate --run RUN                             the run's own evaluation, into metrics.json
  python -m hicmd_tf.evaluate --run RUN --data regdb --source DIR   another data set, or another trial of the same
  python -m hicmd_tf.evaluate --model DIR [--source DIR]            an exported SavedModel, or ONNX files
  python -m hicmd_tf.evaluate --descriptors FILE.npz --data regdb   anyone's descriptors, as hicmd_tf.extract has them

The table is also written as evaluation.json, .csv and .md. All files go into --out, or else into the run folder.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hicmd_tf.arguments import Parser
from hicmd_tf.config import Config, with_data
from hicmd_tf.config.validation import DRAWN
from hicmd_tf.data.sources import SOURCES
from hicmd_tf.errors import UserError, run_command
from hicmd_tf.files import check_writable

if TYPE_CHECKING:
    from hicmd_tf.data.samples import Samples
    from hicmd_tf.training.trained import Trained

TABLE = "evaluation.json"


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, evaluates, prints the figures and writes them."""
    options = _parser().parse_args(arguments)
    if sum(given is not None for given in (options.run, options.model, options.descriptors)) != 1:
        raise UserError("give one of --run, --model and --descriptors: what is to be evaluated")
    if options.descriptors is not None:
        _evaluate_descriptors(options)
    elif options.model is not None:
        _evaluate_exported(options)
    elif options.data or options.trial is not None or options.rerank or options.source:
        _evaluate_elsewhere(options)
    else:
        _repeat(options)


def _parser() -> argparse.ArgumentParser:
    parser = Parser("python -m hicmd_tf.evaluate", description=__doc__)
    add = parser.add_argument
    add("--run", metavar="DIR", type=Path, help="run folder that hicmd_tf.fit or hicmd_tf.convert made")
    add("--model", metavar="DIR", type=Path, help="what export.saved_model or export.onnx made")
    add("--descriptors", metavar="FILE", type=Path, help=".npz with descriptors, identities, cameras, modality, names")
    add("--data", choices=[DRAWN, *SOURCES], help="data set, and so the protocol; by default the run's")
    add("--source", metavar="DIR", help="folder of that data set, as its authors hand it out")
    add("--trial", type=int, metavar="N", help="split of that data set; by default the run's")
    add("--permutations", metavar="FILE", type=Path, help="SYSU-MM01's rand_perm_cam.mat, when --source has none")
    add("--rerank", action="store_true", help="also a row with k-reciprocal re-ranking behind each")
    add("--allow-trained", action="store_true", help="also on identities that the run was trained on")
    add(
        "--out",
        metavar="DIR",
        type=Path,
        help="where the table goes; by default the run folder, beside FILE, or the working directory for --model",
    )
    return parser


def _repeat(options: argparse.Namespace) -> None:
    from hicmd_tf.files import write_json
    from hicmd_tf.retrieval.evaluation import Row
    from hicmd_tf.training.checkpoints import Checkpoints
    from hicmd_tf.training.experiment import prepare
    from hicmd_tf.training.restore import newest_classes
    from hicmd_tf.training.run import evaluate, shown
    from hicmd_tf.training.run_folder import RunFolder

    folder = RunFolder(options.run)
    config, out = folder.open(), folder.place_for(options.out, TABLE)
    experiment = prepare(config, newest_classes(folder))
    Checkpoints(experiment.model, folder.checkpoints, config.training.keep_checkpoints).restore()
    metrics = evaluate(config, folder, experiment)
    print(shown(metrics))
    print(f"{metrics['identities']} {metrics['split']} identities, {metrics['steps']} steps")
    write_json(out / folder.metrics.name, metrics)
    _write([Row(**row) for row in metrics["settings"]], out, config.data.name)


def _evaluate_elsewhere(options: argparse.Namespace) -> None:
    from hicmd_tf.retrieval.embed import descriptors
    from hicmd_tf.training.experiment import set_up_tensorflow
    from hicmd_tf.training.hicmd import HiCMD
    from hicmd_tf.training.restore import restored_networks
    from hicmd_tf.training.run_folder import RunFolder
    from hicmd_tf.training.trained import read_trained

    folder = RunFolder(options.run)
    config = with_data(folder.open(), options.data, options.source, options.trial)
    out = folder.place_for(options.out, TABLE)
    set_up_tensorflow(config)
    model, data = HiCMD(restored_networks(folder).networks, config), config.data
    samples = _untrained(config, read_trained(folder.identities), options)
    described = descriptors(model, samples, data.height, data.width, config.training.embed_batch)
    _judge(described, samples, config, options, out)


def _evaluate_exported(options: argparse.Namespace) -> None:
    from export.artefacts import descriptors, open_artefacts
    from export.metadata import trained_on

    artefacts = open_artefacts(options.model)
    place = options.out or Path()
    check_writable(place / TABLE)
    config = with_data(artefacts[0].config, options.data, options.source, options.trial)
    samples = _untrained(config, trained_on(artefacts[0].metadata), options)
    for artefact in artefacts:
        print(artefact.name)
        out = place / artefact.name.replace(", ", "_").replace(" ", "_")
        _judge(descriptors(artefact, samples), samples, config, options, out)


def _untrained(config: Config, trained: "Trained | None", options: argparse.Namespace) -> "Samples":
    """The pictures to test on. Raises UserError when their people were trained on, unless that is allowed."""
    from hicmd_tf.data.datasets import load
    from hicmd_tf.training.experiment import evaluated
    from hicmd_tf.training.trained import Trained, refuse_trained

    samples = evaluated(config, load(config.data))
    if not options.allow_trained:
        refuse_trained(trained, Trained.of(config, samples), samples.texts)
    return samples


def _judge(descriptors: Any, samples: "Samples", config: Config, options: argparse.Namespace, out: Path) -> None:
    from hicmd_tf.retrieval.evaluation import as_text, evaluate
    from hicmd_tf.retrieval.galleries import published

    rows = evaluate(descriptors, samples, published(config.data, samples, options.permutations), options.rerank)
    print(as_text(rows))
    _write(rows, out, config.data.name)


def _evaluate_descriptors(options: argparse.Namespace) -> None:
    from hicmd_tf.retrieval.evaluation import as_text, evaluate
    from hicmd_tf.retrieval.galleries import searches
    from hicmd_tf.retrieval.permutations import read_permutations
    from hicmd_tf.retrieval.stored import read_descriptors

    if options.data is None:
        raise UserError(f"--descriptors needs --data, whose protocol it is: one of {', '.join([DRAWN, *SOURCES])}")
    out = options.out or options.descriptors.parent
    descriptors, samples, _ = read_descriptors(options.descriptors)
    check_writable(out / TABLE)
    permutations = read_permutations(options.permutations) if options.permutations else None
    rows = evaluate(descriptors, samples, searches(options.data, samples, permutations), options.rerank)
    print(as_text(rows))
    _write(rows, out, options.data)


def _write(rows: Any, folder: Path, name: str) -> None:
    from hicmd_tf.files import write_json, write_text
    from hicmd_tf.retrieval.evaluation import as_csv, as_markdown

    write_json(folder / TABLE, {"data": name, "rows": [row._asdict() for row in rows]})
    write_text(folder / "evaluation.csv", as_csv(rows))
    write_text(folder / "evaluation.md", as_markdown(rows))


if __name__ == "__main__":
    run_command(main)
