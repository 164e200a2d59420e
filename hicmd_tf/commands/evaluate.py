"""`hicmd evaluate`: figures of a run, or of descriptors, as the data set's published tables have them.

  hicmd evaluate --run RUN                             the run's own evaluation, into metrics.json; with
                 [--false-accept-rate 0.01]            a threshold for similarities, chosen on people who are not tested
  hicmd evaluate --run RUN --data regdb --source DIR   another data set, or another trial of the same
  hicmd evaluate --model DIR [--source DIR]            an exported SavedModel, or ONNX files
  hicmd evaluate --descriptors FILE --data regdb       anyone's descriptors, as hicmd extract has them

Below the published settings, two rows for each direction say how much of the ranking is modality (docs/retrieval.md).
Where pictures are in tracks (docs/own_pictures.md), further rows look pictures, and tracks, up among tracks; --pool
says how these are compared. Below the ranking stands verification: whether two pictures show one person, and whether
somebody is in a gallery at all. Both tables are also written as evaluation.json, .csv, .verification.csv and .md into
--out, or else the run folder, beside FILE, or into a folder for each of the files in the model's. A run's own
evaluation and that of other pictures stay: the files of another table are then called after its data set, such as
evaluation_regdb_trial_2.json.
docs/options.md says which options go together.
"""

import argparse
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hicmd_tf.arguments import Parser, Way, false_accepts
from hicmd_tf.config import Config, with_data
from hicmd_tf.config.validation import refuse_sourceless
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.data.sources.data_set import word
from hicmd_tf.errors import UserError, counted, some
from hicmd_tf.files import check_writable
from hicmd_tf.notation import MODALITIES
from hicmd_tf.runs.origin import fingerprint

if TYPE_CHECKING:
    from hicmd_tf.data.samples import Samples
    from hicmd_tf.data.searches import Search
    from hicmd_tf.retrieval.evaluation import Row
    from hicmd_tf.retrieval.tracks import Pool
    from hicmd_tf.retrieval.verification import Verified
    from hicmd_tf.runs.tables import About
    from hicmd_tf.runs.trained import Trained

POOLS = ("mean", "best")
ELSEWHERE = ("--data", "--source", "--trial", "--pattern", "--permutations", "--rerank", "--allow-trained")
TABLE_FILE = "evaluation.json"
NAMED = 5  # pictures in a line
WAYS = (
    Way("--run", takes=(*ELSEWHERE, "--out", "--false-accept-rate", "--pool")),
    Way("--model", takes=(*ELSEWHERE, "--out", "--pool")),
    Way("--descriptors", needs=("--data",), takes=("--permutations", "--rerank", "--out", "--pool")),
)


class Judged(NamedTuple):
    """One table. descriptors: (N, E), one for each sample. own: whether it is the run's own evaluation."""

    descriptors: Any
    samples: "Samples"
    searches: "Sequence[Search]"
    about: "About"
    folder: Path
    own: bool = False


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, evaluates, prints the figures and writes them."""
    parser = _parser()
    options, given = parser.parse_args(arguments), parser.given(arguments)
    if options.run is not None and not any(option in ELSEWHERE for option in given):
        _repeat(options)
        return
    if options.false_accept_rate is not None:
        raise UserError("--false-accept-rate is of the run's own threshold: give --run alone, or with --out")
    if options.rerank and options.pool == "best":
        raise UserError("--rerank takes descriptors, which the best pair of two tracks has not: take --pool mean")
    from hicmd_tf.retrieval.evaluation import evaluate
    from hicmd_tf.retrieval.modality import evaluate_modality
    from hicmd_tf.retrieval.report import as_text, verification_as_text
    from hicmd_tf.retrieval.tracks import evaluate_tracks, in_words, track_counts
    from hicmd_tf.retrieval.verification import verify

    ways = ((options.descriptors, _descriptors), (options.model, _exported), (options.run, _elsewhere))
    for judged in next(way for given, way in ways if given is not None)(options):
        pool = _pool(options, judged.samples)
        of = judged.descriptors, judged.samples, judged.searches
        rows = evaluate(*of, options.rerank) + evaluate_modality(*of, options.rerank)
        rows += evaluate_tracks(*of, pool, options.rerank)
        counts = track_counts(judged.samples, pool)
        verified = verify(judged.descriptors, judged.samples, judged.searches)
        tracks = [in_words(counts)] if counts else []
        print(as_text(rows), *tracks, verification_as_text(verified), sep="\n\n")
        _write(rows, verified, judged.about, judged.folder, judged.own)


def _parser() -> Parser:
    parser = Parser("hicmd evaluate", WAYS, description=__doc__)
    add = parser.add_argument
    add("--run", metavar="DIR", type=Path, help="run folder that hicmd fit or hicmd convert made")
    add("--model", metavar="DIR", type=Path, help="what hicmd export saved-model or hicmd export onnx made")
    add(
        "--descriptors",
        metavar="FILE",
        type=Path,
        help="what hicmd extract wrote, or the like: .npz, .parquet, a folder of that",
    )
    add("--data", choices=list(DATA_SETS), help="data set, and so the protocol; by default the run's")
    add("--source", metavar="DIR", help="folder of that data set, as its authors hand it out")
    add("--trial", type=int, metavar="N", help="split of that data set; by default the run's")
    add("--pattern", metavar="REGEX", help="as data.pattern: what paths in --source say; of folder only")
    add("--permutations", metavar="FILE", type=Path, help="SYSU-MM01's rand_perm_cam.mat, when --source has none")
    add("--rerank", action="store_true", help="also a row with k-reciprocal re-ranking after each")
    add("--allow-trained", action="store_true", help="also on identities that the run was trained on")
    add(
        "--false-accept-rate",
        type=false_accepts,
        metavar="X",
        help="of strangers whom the run's threshold accepts (default: 0.001, or the least that its people can state)",
    )
    add("--pool", choices=POOLS, help="tracks by their mean descriptor, or by their best pair (default: mean)")
    add(
        "--out",
        metavar="DIR",
        type=Path,
        help="where the table goes; by default the run folder, beside FILE, or the model's folder",
    )
    return parser


def _pool(options: argparse.Namespace, samples: "Samples") -> "Pool":
    """How tracks are compared. Raises UserError where it is said and there are none."""
    if options.pool and not samples.tracked.any():
        raise UserError("--pool says how tracks are compared, and no picture of the test is in one: leave it out")
    return options.pool or "mean"


def _repeat(options: argparse.Namespace) -> None:
    from hicmd_tf.files import write_json
    from hicmd_tf.runs.opened import OpenedRun
    from hicmd_tf.runs.tables import About, is_run

    run = OpenedRun(options.run)
    config, folder = run.config, run.folder
    out = folder.place_for(options.out, TABLE_FILE)
    if is_run(out) and not out.samefile(folder.path):
        raise UserError(f"{out} is another run's folder, whose metrics.json stays: name one that is none with --out")
    from hicmd_tf.retrieval.evaluation import Row
    from hicmd_tf.retrieval.threshold import WANTED
    from hicmd_tf.runs.metrics import metrics_of, shown, size, verified

    wanted = options.false_accept_rate or WANTED
    pool = _pool(options, run.samples)
    own = run.model.step, run.descriptors
    metrics = metrics_of(config, folder, run.data, *own, describe=run.model.descriptors, wanted=wanted, pool=pool)
    print(shown(metrics))
    print(size(metrics))
    write_json(out / folder.metrics.name, metrics)
    about = About.of(config.data, metrics["provenance"]["data_sha256"][metrics["split"]])
    _write([Row(**row) for row in metrics["settings"]], verified(metrics), about, out, own=is_run(out))


def _elsewhere(options: argparse.Namespace) -> Iterator[Judged]:
    """A run on other pictures than its own, or by other rules."""
    from hicmd_tf.runs.opened import OpenedRun
    from hicmd_tf.runs.tables import is_run

    run = OpenedRun(options.run)
    config = _chosen(run.config, options)
    if options.data is options.source is None:
        run.refuse_moved()
    out = run.folder.place_for(options.out, TABLE_FILE)
    model = run.model  # which sets TensorFlow up, before pictures are read
    samples, searches, about = _asked(config, run.trained_on, options)
    known = run.folder.known_pictures()
    of_run = about.pictures in (known.get("test"), known.get("held_out"))
    own = of_run and is_run(out) and out.samefile(run.folder.path)
    yield Judged(model.descriptors(samples), samples, searches, about, out, own)


def _exported(options: argparse.Namespace) -> Iterator[Judged]:
    if not options.model.is_dir():
        raise UserError(f"{options.model} is no folder: name what hicmd export made with --model")
    from hicmd_tf.export.artefacts import descriptors, open_artefacts
    from hicmd_tf.export.metadata import trained_on

    artefacts = open_artefacts(options.model)
    place = options.out or options.model
    check_writable(place / TABLE_FILE)
    asked = _asked(_chosen(artefacts[0].config, options), trained_on(artefacts[0].metadata), options)
    for artefact in artefacts:
        print(artefact.name)
        yield Judged(descriptors(artefact, asked[0]), *asked, place / artefact.name.replace(",", "").replace(" ", "_"))


def _descriptors(options: argparse.Namespace) -> Iterator[Judged]:
    from hicmd_tf.retrieval.stored import read_descriptors
    from hicmd_tf.runs.tables import About

    _refuse_permutations(options.data, options)
    out = options.out or options.descriptors.parent
    descriptors, samples, _, failed = read_descriptors(options.descriptors)
    if failed:
        named = some([f"{name} {why}" for name, why in failed.items()], NAMED)
        warnings.warn(f"{counted(len(failed), 'picture')} without a descriptor left out: {named}", stacklevel=2)
    check_writable(out / TABLE_FILE)
    for modality in MODALITIES:
        if not len(samples.of(modality)):
            raise UserError(
                f"{options.descriptors}: no {modality} picture has a descriptor: expected some of both modalities, for "
                "those of one are looked up among those of the other"
            )
    searches = DATA_SETS[options.data].searches(samples, options.permutations)
    about = About(options.data, fingerprint(samples), word(options.descriptors.stem))
    yield Judged(descriptors, samples, searches, about, out)


def _chosen(config: Config, options: argparse.Namespace) -> Config:
    """The configuration with the data set that the options name."""
    config = with_data(config, options.data, options.source, options.trial, options.pattern)
    refuse_sourceless(config.data, "--source")
    _refuse_permutations(config.data.name, options)
    return config


def _refuse_permutations(data: str, options: argparse.Namespace) -> None:
    if options.permutations is not None and not DATA_SETS[data].permuted:
        raise UserError(f"--permutations are SYSU-MM01's: {data} has none, leave them out")


def _asked(
    config: Config, trained: "Trained | None", options: argparse.Namespace
) -> "tuple[Samples, list[Search], About]":
    """The pictures to test on, the searches of their data set's published tables, and what to call these. Raises
    UserError when the people were trained on, unless that is allowed."""
    from hicmd_tf.data.datasets import evaluated, load, published
    from hicmd_tf.runs.tables import About
    from hicmd_tf.runs.trained import refuse_trained

    samples = evaluated(config, load(config.data))
    if not options.allow_trained:
        refuse_trained(trained, config, samples)
    searches = published(config.data, samples, options.permutations)
    return samples, searches, About.of(config.data, fingerprint(samples))


def _write(
    rows: "Sequence[Row]", verified: "Sequence[Verified]", about: "About", folder: Path, own: bool = False
) -> None:
    from hicmd_tf.runs.tables import write_table

    name = write_table(rows, about, folder, own, verified)
    print(f"the table is in {folder / name}.json, .csv, .verification.csv and .md")
