"""Does it carry over? Finished runs, each asked for drawn people whom no run knows, for the same with one thing drawn
otherwise, and for people of other data sets; beside what needs no learning.

Nothing is trained, and nothing is chosen by the figures.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

from hicmd_tf import __version__
from hicmd_tf.config import Config, with_values
from hicmd_tf.config.schema import DataConfig
from hicmd_tf.data.datasets import everyone, load, published
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import Search
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import UserError, counted, notice
from hicmd_tf.files import alone, is_leftover, read_json, sweep, write_json, write_text
from hicmd_tf.retrieval.baselines import hand_crafted_figures, simple_figures
from hicmd_tf.retrieval.evaluation import Row, by_direction, evaluate
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.runs.origin import fingerprint, read_provenance
from hicmd_tf.runs.tables import is_run
from hicmd_tf.runs.trained import read_trained, refuse_trained
from hicmd_tf.tuning.carry_over_table import Carried, Unlearned, as_csv, as_json, as_markdown, shares, stars
from hicmd_tf.tuning.comparison import Contender, but_seed, finished, judged, refuse_equal_names, without_seed

NAME, RESULTS = "carry_over", "results"
WHOLE = {"thermal": "thermal", "all": "all of these"}
"""Kinds of drawn people whose words in the table have no number."""
ANY_YAW, STRONG_NOISE = 3.14159265, 12.0
Size = tuple[int, int]


class Column(NamedTuple):
    """People to ask for.

    name: in the table. file: of what is found of them, without its ending. config: whose data set they are, of any size
    of pictures. otherwise: what is not as the first drawn people have it.
    """

    name: str
    file: str
    config: Config
    otherwise: Mapping[str, Any] = {}

    @property
    def drawn(self) -> bool:
        """Whether they are drawn, and so all for the test."""
        return DATA_SETS[self.config.data.name].drawn

    @property
    def about(self) -> dict[str, Any]:
        """What they are, for the JSON."""
        data = self.config.data
        if self.drawn:
            return {"data": data.name, "otherwise": {**self.otherwise}, "synthetic": asdict(data.synthetic)}
        return {"data": data.name, "source": data.source, "trial": data.trial}


# ----------------------------------------------------------------------------------------------------- who, and on whom


def finished_runs(texts: Sequence[str]) -> list[Contender]:
    """The rows, in the order of the folders of finished runs: those are one row that were trained on the same pictures
    and differ in their seed alone. Raises UserError, which names the folder, for one that can't be had."""
    found: dict[Any, Contender] = {}
    for text in texts:
        folder = RunFolder(Path(text))
        try:
            config = finished(folder, {})
        except UserError as error:
            raise UserError(f"{text}: {str(error).removeprefix(f'{text} ')}") from error
        key = but_seed(config, folder), str(read_provenance(folder.metrics)["data_sha256"].get("train"))
        row = found.get(key, Contender(without_seed(folder.path, config.seed), text, config, {}, False))
        if config.seed in row.taken:
            both = f"{row.taken[config.seed].path} and {folder.path}"
            raise UserError(f"{both} are of one configuration and seed: leave one of them out")
        found[key] = row._replace(taken={**row.taken, config.seed: folder})
    refuse_equal_names([*found.values()])
    return [*found.values()]


def drawn_columns(base: Config, name: str) -> list[Column]:
    """A configuration's drawn people, as many as it tests; the same people with one thing drawn otherwise each; and
    with all of these. Says which are left out, since the configuration has them so. name: of the configuration."""
    synthetic = replace(base.data.synthetic, identities=base.data.test_identities)
    given: dict[str, dict[str, Any]] = {
        "yaw": {"yaw_range": ANY_YAW},
        "albedo": {"albedo_follows_lightness": 0.0},
        "framing": {"framing": 1.0},
        "clutter": {"clutter": 1.0},
        "exposure": {"exposure": 0.0 if synthetic.exposure > 0.5 else 1.0},
        "noise": {"noise": STRONG_NOISE},
        "thermal": {"spectrum": "thermal"},
    }
    unread = ("albedo",) if synthetic.spectrum == "thermal" else ()  # heat has no albedo
    kinds = {
        kind: change
        for kind, change in given.items()
        if kind not in unread and any(getattr(synthetic, key) != value for key, value in change.items())
    }
    if len(kinds) < len(given):
        notice(f"left out, for {name} has them so: {', '.join(kind for kind in given if kind not in kinds)}")
    if len(kinds) > 1:
        kinds["all"] = {key: value for change in kinds.values() for key, value in change.items()}
    words = {kind: f"{kind} {next(iter(change.values())):.3g}" for kind, change in kinds.items() if kind not in WHOLE}
    found = []
    for kind, change in {"same": {}, **kinds}.items():
        data = replace(base.data, held_out=0, synthetic=replace(synthetic, **change))
        words.setdefault(kind, WHOLE.get(kind, f"as {name}"))
        found.append(Column(words[kind], f"drawn_{kind}", replace(base, data=data), change))
    return found


def folder_columns(base: Config, given: Sequence[tuple[str, str]], values: Mapping[str, Any]) -> list[Column]:
    """The test people of data sets in folders.

    Args:
        base: the configuration whose other settings hold.
        given: name and folder of each.
        values: settings of these data sets, by dotted name; each is for those that read it.

    Raises:
        UserError: for one that none reads, a data set twice, and as `with_values` does.
    """
    several = [name for name, _ in given if DATA_SETS[name].trials > 1]
    patterned = [name for name, _ in given if DATA_SETS[name].patterned]
    for key, readers in {"data.trial": several, "data.pattern": patterned}.items():
        if key in values and not readers:
            raise UserError(f"--{key} {values[key]}: no data set that --on names reads it: leave it out")
    found: list[Column] = []
    for name, source in given:
        of = {"data.trial": several, "data.pattern": patterned}
        read = {key: value for key, value in values.items() if name in of.get(key, [name])}
        usual = {"data.trial": 1, "data.pattern": "", "data.held_out": 0}
        config = with_values(base, {**usual, **read, "data.name": name, "data.source": source})
        if any(one.config.data == config.data for one in found):
            raise UserError(f"--on {name}={source} is given twice: give it once")
        called = DATA_SETS[name].called(config.data)
        free = (one for one in chain([called], (f"{called}_{n}" for n in count(2))))
        file = next(one for one in free if one not in [column.file for column in found])
        found.append(Column(file.replace("_", " "), file, config))
    return found


# ------------------------------------------------------------------------------------------------------- their pictures


class People:
    """The pictures of columns and who is looked up among whom, each read when it is first asked for."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[Samples, list[Search]]] = {}
        self._hashes: dict[str, str] = {}

    def of(self, column: Column, size: Size) -> tuple[Samples, list[Search]]:
        """Those to test, and the first search of each direction. size: in which people are drawn."""
        data = column.config.data
        if column.drawn:
            data = replace(data, height=size[0], width=size[1])
        key = repr(data)
        if key not in self._read:
            samples = everyone(data) if column.drawn else load(data).test
            self._read[key] = samples, [*by_direction(published(data, samples)).values()]
        return self._read[key]

    def about(self, column: Column, size: Size) -> dict[str, Any]:
        """All that figures depend on, beside who describes; of drawn people nothing is drawn for it."""
        data = column.config.data
        common = {"hicmd_tf": __version__, "height": size[0], "width": size[1]}
        if column.drawn:
            return {**common, "synthetic": asdict(data.synthetic)}
        samples, searches = self.of(column, size)
        if column.file not in self._hashes:
            self._hashes[column.file] = fingerprint(samples)
        pictures = {"data": data.name, "sixteen_bit": data.sixteen_bit, "pictures_sha256": self._hashes[column.file]}
        return {**common, **pictures, "settings": [search.setting for search in searches]}


def refuse_seen(rows: Sequence[Contender], columns: Sequence[Column], people: People) -> None:
    """Raises UserError where a run knows people whom it would be asked for."""
    for run in (run for row in rows for run in row.taken.values()):
        config, trained = run.open(), read_trained(run.identities)
        seen = {DATA_SETS[config.data.name].people(config.data), *(trained.by_data_set() if trained else ())}
        for column in columns:
            data = column.config.data
            if column.drawn and DATA_SETS[data.name].people(data) in seen:
                raise UserError(
                    f"{run.path}: the run knows drawn people of seed {data.synthetic.seed}: ask for others, with "
                    f"--data.synthetic.seed"
                )
            if not column.drawn:
                samples, _ = people.of(column, _size(config))
                try:
                    refuse_trained(trained, column.config, samples, "leave the run or the data set out")
                except UserError as error:
                    raise UserError(f"{run.path} on {column.name}: {error}") from error


def _size(config: Config) -> Size:
    return config.data.height, config.data.width


# ------------------------------------------------------------------------------------------------------------ all of it


def carry_over(rows: Sequence[Contender], columns: Sequence[Column], out: Path, crafted: bool) -> str:
    """Asks every run for everyone, and writes the table into a folder; what was found there earlier stays.

    Args:
        rows: Who is asked.
        columns: For whom.
        out: Folder of results/, carry_over.md, .csv, .json and .png.
        crafted: Whether HOG is a row, too.

    Returns:
        The page.

    Raises:
        UserError: Where a run knows people whom it would be asked for, before anything is computed.
    """
    from hicmd_tf.visualize.carried_over import carried_over  # here: matplotlib is slow to import
    from hicmd_tf.visualize.figure import save

    _refuse_other_folder(out)
    people = People()
    refuse_seen(rows, columns, people)
    with alone(out / "lock", f"{out} is in use by another call: let it end, or name another folder with --out"):
        sweep(out)
        carried = [_carried(row, columns, people, out / RESULTS) for row in rows]
        sizes = dict.fromkeys(_size(row.config) for row in rows)
        unlearned = _unlearned([*sizes], columns, people, out / RESULTS, crafted)
        known = carried[0].first
        whom = {one.name: _whom(one, columns[0], [*known[one.name].values()]) for one in columns}
        page = as_markdown(carried, unlearned, whom)
        write_text(out / f"{NAME}.md", page)
        write_text(out / f"{NAME}.csv", as_csv(carried, unlearned))
        write_json(out / f"{NAME}.json", as_json(carried, unlearned, {one.name: one.about for one in columns}))
        save(carried_over(shares(carried, unlearned, [*whom]), stars(carried, [*whom])), out)
    return f"{page}\nall of it in {shlex.quote(str(out))}"


def _refuse_other_folder(out: Path) -> None:
    """Raises UserError for a folder of something else."""
    there = [one.name for one in out.iterdir() if not is_leftover(one)] if out.is_dir() else []
    ours = all(name in ("lock", RESULTS) or name.startswith(f"{NAME}.") for name in there)
    if out.is_file() or not ours or is_run(out):
        raise UserError(f"{out} exists and holds something else: name another folder with --out")


def _carried(row: Contender, columns: Sequence[Column], people: People, results: Path) -> Carried:
    """What the runs of a row find."""
    runs = {seed: str(run.path) for seed, run in row.taken.items()}
    found = {
        seed: _asked(run, columns, people, results / f"{row.name}_{seed}", f"{row.name}, seed {seed}")
        for seed, run in row.taken.items()
    }
    return Carried(row.name, _trained(row, columns), runs, found)


def _asked(
    run: RunFolder, columns: Sequence[Column], people: People, kept: Path, called: str
) -> dict[str, dict[str, Row]]:
    """Column -> direction -> a run's figures. kept: folder of those that are known. called: the run, in words."""
    opened = OpenedRun(run.path)
    size, weights = _size(opened.config), run.checkpoint(optimisers=False).digest
    found: dict[str, dict[str, Row]] = {}
    for number, column in enumerate(columns, 1):
        about = {"weights_sha256": weights, **people.about(column, size)}
        file = kept / f"{column.file}.json"
        known = _known(file, about)
        if known is None:
            model = opened.model  # which sets TensorFlow up, before people are drawn
            notice(f"{called}, {column.name}: {number} of {len(columns)}")
            samples, searches = people.of(column, size)
            asked = by_direction(evaluate(model.descriptors(samples), samples, searches))
            known = {way: row._asdict() for way, row in asked.items()}
            write_json(file, {"about": about, "figures": known})
        found[column.name] = {way: Row(**row) for way, row in known.items()}
    return found


def _unlearned(
    sizes: Sequence[Size], columns: Sequence[Column], people: People, results: Path, crafted: bool
) -> Unlearned:
    """Name in the table -> column -> figures of what needs no learning, at each size of the runs."""
    found: Unlearned = {}
    for height, width in sizes:
        size = f" {height} x {width}" if len(sizes) > 1 else ""
        kinds = {"simple": {"chance": "chance", "raw_pixels": f"raw pixels{size}"}}
        if crafted:
            kinds["hog"] = {"hog": f"HOG{size}"}
        for kind, names in kinds.items():
            for column in columns:
                about = people.about(column, (height, width))
                file = results / f"{height}x{width}" / f"{column.file}.{kind}.json"
                known = _known(file, about)
                if known is None:
                    notice(f"{' and '.join(names.values())}, {column.name}")
                    asked = *people.of(column, (height, width)), height, width
                    known = hand_crafted_figures(*asked, [kind]) if kind == "hog" else simple_figures(*asked)
                    write_json(file, {"about": about, "figures": known})
                for name, words in names.items():
                    found.setdefault(words, {})[column.name] = known[name]
    return found


def _known(file: Path, about: Mapping[str, Any]) -> Any:
    """What was found earlier; None where that was of other pictures or weights. Raises UserError for a damaged file."""
    found = read_json(file) if file.is_file() else None
    return found.get("figures") if isinstance(found, dict) and found.get("about") == about else None


def _called(data: DataConfig) -> str:
    return DATA_SETS[data.name].called(data).replace("_", " ")


def _trained(row: Contender, columns: Sequence[Column]) -> str:
    """On whom a row was trained, in words, and how they are drawn otherwise than the first column's."""
    data, trained = row.config.data, read_trained(next(iter(row.taken.values())).identities)
    source = DATA_SETS[data.name]
    people = source.people(data) if source.drawn else _called(data)  # as columns are
    known = {people: trained.identities, **trained.earlier} if trained else {}
    whom = [f"{counted(len(identities), 'person')} of {name}" for name, identities in known.items()]
    unlike: list[str] = []
    if DATA_SETS[data.name].drawn and columns[0].drawn:
        own, theirs = asdict(data.synthetic), asdict(columns[0].config.data.synthetic)
        alike = ("identities", "images_per_modality", "seed")
        unlike = [f"{key} {own[key]}" for key in own if key not in alike and own[key] != theirs[key]]
    return ", ".join(["; before on ".join(whom) or "people whom it does not name", *unlike])


def _whom(column: Column, first: Column, asked: Sequence[Row]) -> str:
    """The people of a column, and how they are judged, in words; of drawn ones what is not as the first column's."""
    data = column.config.data
    if column.otherwise:
        own, theirs = data.synthetic, first.config.data.synthetic
        changes = [f"{key} {getattr(own, key)}, not {getattr(theirs, key)}" for key in column.otherwise]
        return f"the same people, drawn with {'; '.join(changes)}"
    queries = f"{counted(asked[0].people, 'person')}, {' and '.join(f'{row.queries:,}' for row in asked)} queries"
    return f"{queries}; {DATA_SETS[data.name].people(data) if column.drawn else judged(data, asked[0]._asdict())}"
