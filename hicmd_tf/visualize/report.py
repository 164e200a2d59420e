"""The report of a run: one page with figures, pictures, data and settings that opens from disk without a network."""

import io
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from hicmd_tf.config import Config, flattened, load, to_dict
from hicmd_tf.config.loading import BASE
from hicmd_tf.data.labels import named
from hicmd_tf.data.samples import SPLITS, DataSplits, Samples, Split
from hicmd_tf.errors import UserError, counted
from hicmd_tf.files import read_json, write_text
from hicmd_tf.notation import MODALITIES
from hicmd_tf.pictures.bounds import size_of as stored_size
from hicmd_tf.retrieval.evaluation import BOUNDED, FEW, Figures, Row, by_direction, evaluate
from hicmd_tf.retrieval.modality import BOTH, LESS, evaluate_modality
from hicmd_tf.retrieval.report import COLUMNS, COMPARED, DIRECTIONS, NAMES, scores_in
from hicmd_tf.retrieval.tracks import evaluate_tracks, in_words, pool_in, track_counts
from hicmd_tf.retrieval.verification import verify
from hicmd_tf.runs.costs import read_costs
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.visualize.figure import Figure, data_uri

Array = np.ndarray[Any, Any]

REPORT = "report.html"
ARROWS = {name: words.replace("->", "→") for name, words in DIRECTIONS.items()}
LISTED_CAMERAS = 9  # more are counted
PAGES = Environment(
    loader=PackageLoader("hicmd_tf.visualize"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

SHOWN = {name: COLUMNS[name] for name in ("rank1", "mAP", *COLUMNS)}
"""Figures of the tables: first those that a telephone has room for."""


class Line(NamedTuple):
    """A row of the main table. figures: fractions by name. deviation: theirs over galleries, where there are several.
    multiple: rank-1 in multiples of a random ranking's."""

    name: str
    figures: Figures
    deviation: Figures | None
    multiple: float


class Part(NamedTuple):
    """The pictures of one split and modality. cameras: by name, or how many there are. each: pictures of one person;
    heights, widths: of the stored ones, in pixels; three numbers are least / middle / greatest. size: bytes of all."""

    split: str
    modality: str
    identities: int
    pictures: int
    each: str
    cameras: str
    heights: str
    widths: str
    size: int


class Setting(NamedTuple):
    """One value of the configuration. base: what configs/base.yaml has instead; None when it is the same."""

    name: str
    value: str
    base: str | None


def write_report(run: OpenedRun, figures: Iterable[Figure], folder: Path | None = None) -> Path:
    """Writes report.html into a folder, by default the run's, figures in the order given, and returns its path.

    What a run lacks is said in the page. Raises UserError when a file of the run is damaged or the folder can't be
    written.
    """
    path = (folder or run.folder.path) / REPORT
    write_text(path, report_of(run, list(figures)))
    return path


def report_of(run: OpenedRun, figures: list[Figure]) -> str:
    """The page itself: figures of the newest checkpoint, beside what metrics.json has of other rows. Raises UserError
    when a file of the run is damaged."""
    metrics, environment = _mapping(run.folder.metrics), _mapping(run.folder.environment)
    costs = read_costs(run.folder.costs)
    counts = track_counts(run.samples, pool_in(metrics) or "mean")
    of = run.descriptors, run.samples, run.searches
    rows = evaluate(*of) + evaluate_modality(*of) + (evaluate_tracks(*of, counts["pool"]) if counts else [])
    main, ours = by_direction(rows), NAMES[run.config.method]
    compared = {key: scores_in(metrics[key], run.folder.metrics, main) for key in COMPARED if key in metrics}
    return PAGES.get_template("report.html").render(
        run=run,
        name=configuration_name(environment),
        step=run.model.step,
        rows=rows,
        both=BOTH,
        less=LESS,
        tracks=in_words(counts) if counts else "",
        main=list(main.values()),
        directions={
            way: lines(row, {key: dict(scores[way]) for key, scores in compared.items()}, ours)
            for way, row in main.items()
        },
        ours=ours,
        warnings=metrics.get("warnings", []),
        environment=environment,
        costs=costs.words() if costs else {},
        lacking=list(_lacking(run)),
        bounded={name: COLUMNS[name] for name in BOUNDED},
        few=FEW,
        verified=verify(run.descriptors, run.samples, run.searches),
        groups=[(title, list(group)) for title, group in groupby(figures, lambda figure: figure.title)],
        parts=[*parts(run.data)],
        skipped=skipped(run),
        sections=sections(run.config),
        changes=run.folder.changes(),
        commands=commands(run.folder),
        columns=SHOWN,
        arrows=ARROWS,
    )


def lines(row: Row, compared: dict[str, Figures], ours: str) -> list[Line]:
    """The main table of one direction: its main setting, and what that is compared with. ours: the method's name."""
    known = {**compared, "chance": row.chance or {}}
    found = [(ours, row.mean, row.deviation if row.trials > 1 else None)]
    found += [(name, known[key], None) for key, name in COMPARED.items() if key in known]
    return [Line(*line, line[1]["rank1"] / known["chance"]["rank1"]) for line in found]


def parts(data: DataSplits) -> Iterator[Part]:
    """Every split and modality that has pictures, those that can't be used among them."""
    found = ((split, m, samples.of(m)) for split, samples in data.unchecked.items() for m in MODALITIES)
    for split, modality, samples in (part for part in found if len(part[-1])):
        people, each = np.unique(samples.identities[samples.known], return_counts=True)
        cameras = named(samples.cameras, samples.texts).values()
        listed = ", ".join(cameras) if len(cameras) <= LISTED_CAMERAS else f"{len(cameras)} cameras"
        files = [(len(content), stored_size(content)) for content in samples.encoded]
        sizes = np.array([size for _, size in files if size]).reshape(-1, 2)
        of = len(people), len(samples), _spread(each), listed, _spread(sizes[:, 1]), _spread(sizes[:, 0])
        yield Part(SPLITS[split], modality, *of, sum(size for size, _ in files))


def _spread(values: Array) -> str:
    """Least, middle and greatest; one number where all are equal."""
    if not len(values):
        return "unknown"
    found = [f"{value:g}" for value in (np.min(values), np.median(values), np.max(values))]
    return found[0] if found[0] == found[2] else " / ".join(found)


def skipped(run: OpenedRun) -> list[str]:
    """In words, how many pictures of the splits that the run has to do with can't be used and are left out."""
    if run.config.data.check == "stop":
        return []
    tested: Split = "held_out" if run.config.data.held_out else "test"
    parts: dict[Split, Samples] = {"train": run.data.train, tested: run.samples}
    counts = {split: len(run.data.unchecked[split]) - len(samples) for split, samples in parts.items()}
    return [counted(count, f"{SPLITS[split]} picture") for split, count in counts.items() if count]


def configuration_name(environment: dict[str, Any]) -> str | None:
    """The name after --config in the command that began or continued the run; None where it has none."""
    named = re.findall(r"--config[= ](?:'([^']+)'|(\S+))", str(environment.get("command", "")))
    return Path("".join(named[-1])).stem if named else None


def sections(config: Config) -> list[tuple[str, list[Setting]]]:
    """All settings by section, those outside any section under "run"."""
    base = dict(flattened(to_dict(load(BASE))))
    found: dict[str, list[Setting]] = {}
    for key, value in flattened(to_dict(config)):
        section, _, name = key.rpartition(".")
        differs = None if value == base[key] else _shown(base[key])
        found.setdefault(section or "run", []).append(Setting(name, _shown(value), differs))
    return list(found.items())


def _shown(value: Any) -> str:
    """A setting's value as a configuration file has it."""
    return value or '""' if isinstance(value, str) else json.dumps(value)


def commands(folder: RunFolder) -> list[tuple[str, str]]:
    """Purposes and the commands to type for them."""
    run = shlex.quote(str(folder.path))
    again = [
        ("the figures again", f"hicmd evaluate --run {run}"),
        ("this page and its pictures again", f"hicmd report --run {run}"),
    ]
    if not folder.untrained.is_file():
        return again
    if folder.changes():
        return [("the whole run again, with what changed", f"hicmd reproduce {run}"), *again]
    settings, other = shlex.quote(str(folder.config)), shlex.quote(f"{folder.path}-again")
    return [("the whole run again", f"hicmd fit --config {settings} --run {other}"), *again]


def _lacking(run: OpenedRun) -> Iterator[str]:
    """In words, what an older, stopped or converted run has not, and what to do about it."""
    folder, step = run.folder, run.model.step
    if not folder.metrics.is_file():
        evaluate_it = f"hicmd evaluate --run {shlex.quote(str(folder.path))}"
        yield f"metrics.json is missing, so little is compared with the figures: run {evaluate_it}"
    if not folder.losses.is_file():
        yield "losses.csv is missing, so there are no curves: it comes with training, and a converted run has none"
    if not folder.untrained.is_file():
        yield "untrained.json is missing, so nothing is compared with the initial weights: they came from elsewhere"
    if not folder.environment.is_file():
        yield "environment.json is missing, so versions, machine and command are not known"
    if folder.untrained.is_file() and step < run.config.training.steps:
        yield f"training stopped at step {step} of {run.config.training.steps}: the same command with --resume goes on"


def _mapping(file: Path) -> dict[str, Any]:
    """A JSON file of the run folder; empty where it is missing. Raises UserError when it is damaged."""
    content = read_json(file) if file.is_file() else {}
    if not isinstance(content, dict):
        raise UserError(
            f"{file}: expected names and values, found {type(content).__name__}; delete it to have it made anew"
        )
    return content


def size_of(content: bytes) -> tuple[int, int]:
    """Width and height in pixels of a picture's file."""
    with Image.open(io.BytesIO(content)) as picture:
        return picture.size


PAGES.filters.update(data_uri=data_uri, size_of=size_of, per_cent=lambda fraction: f"{100 * fraction:.1f}")
