"""Several configurations side by side, with several seeds, as a table like the paper's Table 1.

Every run is evaluated after its own number of steps; nothing is chosen by the figures.
"""

import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from hicmd_tf.config import Config, flattened, load, to_dict, value_of, with_values
from hicmd_tf.config.loading import configs_folder, find
from hicmd_tf.config.schema import DataConfig
from hicmd_tf.config.settings import NO_FIGURE_DEPENDS_ON, SETTINGS
from hicmd_tf.config.validation import is_read, refuse_sourceless, refuse_unread
from hicmd_tf.data.datasets import evaluated, published
from hicmd_tf.data.datasets import load as load_pictures
from hicmd_tf.data.planners import planner_of
from hicmd_tf.data.samples import DataSplits
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import UserError, counted, some
from hicmd_tf.files import alone, is_leftover, read_json, sweep, write_json, write_text
from hicmd_tf.retrieval.baselines import Figures, hand_crafted_figures
from hicmd_tf.retrieval.report import DIRECTIONS, scores_in
from hicmd_tf.runs.changes import NOTHING
from hicmd_tf.runs.costs import read_costs
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.origin import SHOWN, configuration_hash, data_hashes, read_provenance
from hicmd_tf.runs.progress import read_progress
from hicmd_tf.runs.tables import is_run
from hicmd_tf.training.apart import Job, train_apart
from hicmd_tf.training.trials import is_done
from hicmd_tf.tuning.comparison_table import (
    NAMED,
    UNLEARNED,
    Compared,
    Found,
    as_csv,
    as_json,
    as_markdown,
    as_text,
    curves,
)

NAME = "comparison"
SEEDS = (777, 1, 2)
SIZE = ("data.height", "data.width")
DECIDE = ("data.name", "data.trial", "data.held_out")
"""Settings of every data set that other pictures, or splits, always come of."""
RENAME = "give one of them another name"
KEPT = "hand_crafted.json"
FIG4 = "fig4.png"  # of `ablations`


class Contender(NamedTuple):
    """One row. text: as the command line names it. config: with any seed. taken: finished runs by seed. trains: whether
    runs of further seeds are trained. changed: settings, by dotted name, in which it differs from what `text` names.
    words: what the table says of it, by column."""

    name: str
    text: str
    config: Config
    taken: dict[int, RunFolder]
    trains: bool
    changed: Mapping[str, Any] = NOTHING
    words: Mapping[str, str] = NOTHING


# ----------------------------------------------------------------------------------------------- what is to be compared


def contenders(texts: Sequence[str], values: Mapping[str, Any]) -> list[Contender]:
    """The rows that a command line names, in its order: configurations, and folders of finished runs. Those that differ
    in their seed alone are one row, and a run that is taken is not trained again.

    values: settings that hold for all rows, by dotted name. Raises UserError, which names the row, for one that can't
    be had, or has another value of such a setting, or does not read it.
    """
    found: dict[str, Contender] = {}
    for text in texts:
        folder = RunFolder(Path(text))
        taken = find(text).is_dir() if folder.path.is_dir() else False
        try:
            if not taken and not find(text).exists():
                raise UserError("there is no such run folder or configuration: name one that is there")
            config = finished(folder, values) if taken else load(text, values)
            refuse_sourceless(config.data)
            refuse_unread(config, values)
        except UserError as error:
            raise UserError(_once(text, str(error))) from error
        key = but_seed(config, folder if taken else None)
        name = without_seed(folder.path, config.seed) if taken else find(text).stem
        row = found.get(key, Contender(name, text, config, {}, False))
        if not taken and row.trains:
            raise UserError(f"{row.text} and {text} are one configuration: leave one of them out")
        if taken and config.seed in row.taken:
            both = f"{row.taken[config.seed].path} and {folder.path}"
            raise UserError(f"{both} are of one configuration and seed: leave one of them out")
        if taken:
            found[key] = row._replace(taken={**row.taken, config.seed: folder})
        else:
            found[key] = row._replace(name=name, text=text, config=config, trains=True)
    refuse_equal_names([*found.values()])
    return [*found.values()]


def _once(text: str, said: str) -> str:
    """An error of what the command line names by a text, with that in front unless it is there already."""
    known = text, os.path.normpath(text)  # as `find` names a file
    if any(said.startswith((f"{name}: ", f"{name}, line ")) for name in known):
        return said
    return f"{text}: {said.removeprefix(f'{text} ')}"


def refuse_equal_names(rows: Sequence[Contender]) -> None:
    """Raises UserError where two rows have one name."""
    names: dict[str, Contender] = {}
    for row in rows:
        if row.name in names:
            raise UserError(f"{names[row.name].text} and {row.text} are both called {row.name}: {RENAME}")
        names[row.name] = row


def finished(folder: RunFolder, values: Mapping[str, Any]) -> Config:
    """The configuration of a finished run, its pictures where the command line says. Raises UserError for another
    folder."""
    config = folder.open()
    if not folder.metrics.is_file():
        raise UserError(f"has no metrics.json, so it is not finished: go on with {folder.go_on}")
    done = read_provenance(folder.metrics)["steps"]["end"]
    if done != config.training.steps and not folder.conversion.is_file():
        raise UserError(f"is not finished, {done} of {config.training.steps} steps: go on with {folder.go_on}")
    for key, value in values.items():
        if key not in NO_FIGURE_DEPENDS_ON and value_of(config, key) != value:
            raise UserError(
                f"the run has {key} {value_of(config, key)}, and the command line {value}: leave that out, or train it "
                f"anew by naming its configuration"
            )
    return with_values(config, {key: value for key, value in values.items() if key in NO_FIGURE_DEPENDS_ON})


def but_seed(config: Config, folder: RunFolder | None) -> str:
    """What runs have in common that differ in their seed alone. folder: of a run, whose settings may have changed."""
    changes = [change._asdict() for change in folder.changes()] if folder else []
    return json.dumps([configuration_hash(with_values(config, {"seed": 0})), changes])


def without_seed(path: Path, seed: int) -> str:
    """A run's name in a table: its folder's, without the seed that `compare` puts there."""
    return path.resolve().name.removesuffix(f"_{seed}")


def check(rows: Sequence[Contender], values: Mapping[str, Any], crafted: bool, given: Mapping[str, bool]) -> None:
    """Raises UserError for options that would do nothing. values, crafted: as `compare` takes them. given: options that
    are for training alone, and whether the command line has them."""
    if not any(row.trains for row in rows):
        read = ("data.source", "data.directory") if crafted else ()
        free = [f"--{key}" for key in values if key in NO_FIGURE_DEPENDS_ON and key not in read]
        for option in [*free, *(option for option, there in given.items() if there)]:
            raise UserError(f"{option} is for configurations, and all that are named are runs: leave it out")
    if os.environ.get("TF_CONFIG"):
        raise UserError("TF_CONFIG is for one run of several workers: unset it, or train each run and name the folders")
    _refuse_unlike_settings(rows)


def _refuse_unlike_settings(rows: Sequence[Contender]) -> None:
    """Raises UserError for rows whose settings say that they have other pictures, before any are drawn or read."""
    first = rows[0]
    for row in rows[1:]:
        for key, setting in SETTINGS.items():
            decides = key in DECIDE or (setting.note.of == row.config.data.name and not setting.note.free)
            if decides and is_read(row.config, key) and value_of(row.config, key) != value_of(first.config, key):
                raise UserError(
                    f"{row.text}: {key} is {value_of(row.config, key)}, and of {first.text} "
                    f"{value_of(first.config, key)}: rows are compared on the same pictures"
                )


# ---------------------------------------------------------------------------------------------------- the same pictures


class Pictures:
    """Pictures of configurations, each set read once; the last one is kept in memory."""

    def __init__(self) -> None:
        self._hashes: dict[str, dict[str, str]] = {}
        self._last: tuple[str, DataSplits] | None = None

    def of(self, config: Config) -> DataSplits:
        """Those of a configuration."""
        key = _data_key(config.data)
        if self._last is None or self._last[0] != key:
            self._last = None  # its memory first
            self._last = key, load_pictures(config.data)
        return self._last[1]

    def hashes(self, config: Config) -> dict[str, str]:
        """As `data_hashes`."""
        key = _data_key(config.data)
        if key not in self._hashes:
            self._hashes[key] = data_hashes(config, self.of(config))
        return self._hashes[key]


def _data_key(data: DataConfig) -> str:
    return repr(replace(data, height=0, width=0))


def same_pictures(rows: Sequence[Contender], pictures: Pictures) -> dict[str, str]:
    """The hashes that all rows have. Raises UserError, which names row and split, when one has others."""
    known: dict[str, str] = {}
    first = rows[0]
    for row in rows:
        of_runs = [(str(run.path), read_provenance(run.metrics)["data_sha256"]) for run in row.taken.values()]
        try:
            of_config = [(row.text, pictures.hashes(row.config))] if row.trains else []
        except UserError as error:
            raise UserError(f"{row.text}: {error}") from error
        for name, hashes in [*of_runs, *of_config]:
            known = known or hashes
            other = next((split for split in {**known, **hashes} if known.get(split) != hashes.get(split)), None)
            if other is not None:
                raise UserError(_not_the_same(name, row, first, other, known, hashes))
    return known


def refuse_few_people(rows: Sequence[Contender], pictures: Pictures) -> None:
    """Raises UserError where a batch of a row needs more people than train, or one of them lacks a modality, from the
    listing alone. Of people that are drawn a configuration says it itself. rows: which are to be trained."""
    methods = {row.config.method for row in rows}
    for row in rows:
        if DATA_SETS[row.config.data.name].drawn:
            continue
        try:
            planner_of(row.config, pictures.of(row.config).unchecked["train"])
        except UserError as error:
            base = row.text if find(row.text).parent == configs_folder() else find(row.text).absolute()
            own = (
                f"; a command line's settings are for all rows: to change this one alone, write a .yaml file with "
                f"`extends: {base}` and them, and name that instead"
            )
            raise UserError(f"{row.text}: {error}{own * (len(methods) > 1)}") from error


def _not_the_same(
    name: str, row: Contender, first: Contender, split: str, known: Mapping[str, str], hashes: Mapping[str, str]
) -> str:
    mine, others = (dict(flattened(to_dict(one.config)["data"], "data.")) for one in (row, first))
    free = (*SIZE, *NO_FIGURE_DEPENDS_ON)
    unlike = [key for key in mine if key not in free and mine[key] != others[key]]
    why = "; ".join(f"{key} is {mine[key]} and there {others[key]}" for key in unlike)
    sums = f"sha256 {str(hashes.get(split))[:SHOWN]} and {str(known.get(split))[:SHOWN]}"
    return (
        f"{name}: its {split.replace('_', '-')} pictures, their names or labels are not those of {first.text} "
        f"({why or sums}): rows are compared on the same pictures"
    )


# ------------------------------------------------------------------------------------------------------------ all of it


def compare(
    rows: Sequence[Contender],
    values: Mapping[str, Any],
    seeds: Sequence[int],
    out: Path,
    resume: bool,
    crafted: bool,
    workers: int = 1,
    options: Sequence[str] = (),
) -> str:
    """Trains what is not there yet, each run in a process of its own, and writes the comparison into a folder. Every
    row has its run of a seed before one of the next seed begins.

    Args:
        rows: What is compared.
        values: Settings that hold for all rows, by dotted name.
        seeds: Of the configurations.
        out: Folder to make: runs/NAME_SEED, logs of several workers, comparison.md, .csv, .json, .curves.csv and .png.
        resume: Whether a comparison in the folder goes on.
        crafted: Whether HOG and LOMO are rows, too.
        workers: How many runs train side by side.
        options: Further options of `hicmd fit`.

    Returns:
        The table as text.

    Raises:
        UserError: When a row has other pictures, before anything is trained, and as a run does; but a run that stops at
            a step which failed is named beneath the table of the others.
    """
    _refuse_other_folder(out, resume)
    runs = {
        row.name: {seed: RunFolder(out / "runs" / f"{row.name}_{seed}") for seed in seeds if seed not in row.taken}
        for row in rows
        if row.trains
    }
    left = [
        (row, seed, runs[row.name][seed])
        for seed in seeds
        for row in rows
        if seed in runs.get(row.name, {})
        and not is_done(runs[row.name][seed], with_values(row.config, {"seed": seed}), resume)
    ]
    pictures = Pictures()
    refuse_few_people([row for row in rows if any(row is one for one, _, _ in left)], pictures)
    hashes = same_pictures(rows, pictures)
    with alone(out / "lock", f"{out} is in use by another comparison: let it end, or name another folder with --out"):
        sweep(out)
        by_hand = _hand_crafted(rows[0], pictures, hashes, out) if crafted else {}
        del pictures  # which the runs want memory for
        jobs = []
        for row, seed, run in left:
            given = [f"--{key}={_typed(value)}" for key, value in {**values, **row.changed}.items()]
            more = [*given, "--seed", str(seed), "--run", str(run.path), *(["--resume"] if resume else []), *options]
            fit = [sys.executable, "-m", "hicmd_tf", "fit", "--config", row.text, *more]
            log = out / "logs" / f"{run.path.name}.log" if workers > 1 else None
            jobs.append(Job(fit, f"{row.name}, seed {seed}", run, log))
        failed = train_apart(jobs, f"go on with the same command{'' if resume else ' and --resume'}", workers)
        lost = [job.run for job in failed]
        found = []
        for row in rows:
            known = {**row.taken, **runs.get(row.name, {})}
            if ended := {seed: run for seed, run in known.items() if run not in lost}:
                found.append(_read(row, ended))
        if not found:
            raise UserError(f"every run stopped at a step that failed: {some([job.what for job in failed], NAMED)}")
        others = {file.parent.name for file in out.glob("runs/*/config.yaml")}
        others -= {run.path.name for of in runs.values() for run in of.values()}
        notes = [*map(_failure, failed)]
        if others:
            notes.append(f"other runs in the folder, not in this table: {some(sorted(others), NAMED)}")
        return _written(found, rows[0], by_hand, out, notes)


def _failure(job: Job) -> str:
    return f"{job.what}: stopped at a step that failed, and counts nowhere: hicmd replay --run {job.run.path}"


def _refuse_other_folder(out: Path, resume: bool) -> None:
    """Raises UserError when a folder holds a comparison that is not to go on, or something else."""
    ours, unbegun = ("lock", "runs", "logs", KEPT, FIG4), {"lock", "logs", KEPT}
    there = [one.name for one in out.iterdir() if not is_leftover(one)] if out.is_dir() else []
    if out.is_file() or any(name not in ours and not name.startswith(f"{NAME}.") for name in there) or is_run(out):
        raise UserError(f"{out} exists and holds no comparison: name another folder with --out")
    if not unbegun.issuperset(there) and not resume:
        raise UserError(f"{out} holds a comparison already: go on with --resume or name another folder with --out")


def _typed(value: Any) -> str:
    """A setting's value as a command line has it."""
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _hand_crafted(first: Contender, pictures: Pictures, hashes: dict[str, str], out: Path) -> dict[str, Figures]:
    """HOG's and LOMO's figures at the first row's size, kept in the folder for the next time."""
    config = first.config
    about = {"pictures_sha256": hashes, "height": config.data.height, "width": config.data.width}
    kept = read_json(out / KEPT) if (out / KEPT).is_file() else {}
    if isinstance(kept, dict) and {**kept, "figures": None} == {**about, "figures": None}:
        directions = [*next(iter(kept["figures"].values()))]
        return {name: dict(scores_in(of, out / KEPT, directions)) for name, of in kept["figures"].items()}  # type: ignore[arg-type]
    try:
        samples = evaluated(config, pictures.of(config))
        other = pictures.hashes(config) != hashes
    except UserError as error:
        raise UserError(f"{error}; --no-hand-crafted leaves HOG and LOMO out, which alone need them") from error
    if other:
        raise UserError(
            f"{first.text}: the pictures there are not those that it was trained and tested with: bring them back, or "
            f"leave HOG and LOMO out with --no-hand-crafted"
        )
    found = hand_crafted_figures(samples, published(config.data, samples), config.data.height, config.data.width)
    write_json(out / KEPT, {**about, "figures": found})
    return found


def _read(row: Contender, runs: Mapping[int, RunFolder]) -> Compared:
    """The figures and costs of a row's runs."""
    found = []
    for seed, run in runs.items():
        metrics = read_json(run.metrics)
        scores = scores_in(metrics, run.metrics, [way for way in DIRECTIONS if way in metrics])
        steps, costs = metrics["steps"], read_costs(run.costs)
        points = read_progress(run, costs, steps, metrics)
        origins = read_provenance(run.metrics)["origins"]
        found.append(
            Found(
                seed,
                str(run.path),
                {way: dict(of) for way, of in scores.items()},
                steps,
                costs,
                points,
                _places(origins),
                metrics.get("at_chance", NOTHING),  # which earlier versions lack
            )
        )
    return Compared(row.name, found, row.words)


def _places(origins: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where a run was trained and evaluated, in words, as far as seconds and memory depend on it."""
    found: dict[str, None] = {}
    for one in origins:
        machine = one.get("machine", {})
        cards = machine.get("gpus") or [f"{machine.get('cores')} cores of {machine.get('processor')}"]
        found[f"{', '.join(cards)} with {one.get('packages', {}).get('engine', 'an unknown engine')}"] = None
    return [*found]


def judged(data: DataConfig, setting: Mapping[str, Any]) -> str:
    """The data set, which of its splits and how it is evaluated, in words. setting: of a run, the first one."""
    split = [f"trial {data.trial}"] if DATA_SETS[data.name].trials > 1 else []
    galleries = [f"means over {setting['trials']} galleries"] if setting["trials"] > 1 else []
    return ", ".join([data.name, *split, setting["setting"], *galleries])


def _written(
    found: Sequence[Compared], first: Contender, by_hand: Mapping[str, Figures], out: Path, notes: Sequence[str]
) -> str:
    """Writes everything; the table as text, and where it is. notes: what else is to be said."""
    from hicmd_tf.visualize.figure import save
    from hicmd_tf.visualize.progress import progress

    metrics = read_json(Path(found[0].runs[0].run) / "metrics.json")
    directions = found[0].directions
    simple = {
        name: scores_in(metrics[name], Path(found[0].runs[0].run), directions) for name in UNLEARNED if name in metrics
    }
    unlearned = {name: {**simple, **by_hand}[name] for name in UNLEARNED if name in {**simple, **by_hand}}
    kind = "held-out identity" if metrics["split"] == "held_out" else "test identity"
    who = f"{counted(metrics['identities'], kind)} of {judged(first.config.data, metrics['settings'][0])}"
    size = f"{first.config.data.height} x {first.config.data.width}"
    write_json(out / f"{NAME}.json", as_json(found, unlearned, who))
    write_text(out / f"{NAME}.csv", as_csv(found, unlearned))
    write_text(out / f"{NAME}.curves.csv", curves(found))
    write_text(out / f"{NAME}.md", as_markdown(found, unlearned, who, size, notes))
    names = {UNLEARNED[name]: scores for name, scores in unlearned.items()}
    save(progress({row.name: [run.points for run in row.runs] for row in found}, names), out)
    return f"{as_text(found, unlearned, who, size, notes)}\nall of it in {shlex.quote(str(out))}"
