"""`hicmd search`: a gallery of descriptors, kept and searched.

  hicmd search index --index DIR --run RUN --images FOLDER     a new gallery of pictures
  hicmd search index --index DIR --descriptors FILE            or of what hicmd extract wrote
  hicmd search add --index DIR --run RUN --images FOLDER       more pictures, and changed ones
  hicmd search query --index DIR --run RUN --picture FILE.. --modality infrared
  hicmd search remove --index DIR --before 2026-11-01
  hicmd search info --index DIR

--modality may be left out where paths or a pictures.csv say it. A query finds pictures of the other modality, not
itself; --same-modality, --both and --itself say otherwise. --together makes all pictures one query, --track asks with
those of a track of the gallery, --group-by finds people or tracks, each once; of several pictures the mean descriptor
is compared, or with --pool best the best pair. The same index command goes on where it was stopped. Every command takes
--uri http://HOST:19530 --collection NAME instead of --index, and then speaks to a Milvus server.
Search is exact unless --ivf asks for an inverted file, whose recall is measured first.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hicmd_tf.arguments import Parser, modality, png, positive, share
from hicmd_tf.data.times import EXPECTED, moment, shown
from hicmd_tf.errors import UserError, counted, notice, printable, some, waiting
from hicmd_tf.tables import as_text

if TYPE_CHECKING:
    from hicmd_tf.runs.opened import OpenedRun
    from hicmd_tf.search import Answer, Entry, Selection, Store
    from hicmd_tf.search.asking import Among
    from hicmd_tf.search.describe import Described
    from hicmd_tf.search.nearest import InvertedFile

COLLECTION = "hicmd"
LISTED = 20  # names in a line
MANY = 100_000  # pictures, from which on a search takes seconds
FOLDER = "folder"  # the data set of own pictures, whose people those of a gallery are
POOLS = {"mean": "mean", "best": "best pair"}
NEEDS = {  # options that do nothing, or can't do it, without another
    "collection": ["uri"],
    "token": ["uri"],
    "images": ["run"],
    "picture": ["run"],
    "run": ["images", "picture"],
    "modality": ["images", "picture"],
    "pattern": ["images"],
    "lists": ["ivf"],
    "probes": ["ivf"],
    "least_recall": ["ivf"],
    "pool": ["together", "group_by", "track"],
}
NOT_WITH_IVF = ("path", "identity", "camera", "not_camera", "after", "before", "together", "group_by", "track", "uri")


def main(arguments: Sequence[str]) -> None:
    """Reads the command line and does what it says."""
    options = _parser().parse_args(arguments)
    _check(options)
    options.command(options)


def _check(options: argparse.Namespace) -> None:
    """Raises UserError for options that don't go together."""
    given = {name for name, value in vars(options).items() if value is not None and value is not False}
    for name, needed in NEEDS.items():
        others = [other for other in needed if hasattr(options, other)]
        if name in given and not given.intersection(others):
            raise UserError(f"--{name} needs --{' or --'.join(others)}".replace("_", "-"))
    for name in NOT_WITH_IVF if "ivf" in given else ():
        if name in given:
            raise UserError(
                f"--ivf searches a whole gallery in a folder, or one modality: leave --{name.replace('_', '-')} out"
            )


def _index(options: argparse.Namespace) -> None:
    from hicmd_tf.search.gallery import Gallery
    from hicmd_tf.search.milvus import MilvusGallery

    if options.index is not None:
        _fill(options, Gallery.create(options.index))
    else:
        _fill(options, MilvusGallery(options.uri, options.collection or COLLECTION, options.token or ""))


def _add(options: argparse.Namespace) -> None:
    _fill(options, _store(options))


def _fill(options: argparse.Namespace, store: "Store") -> None:
    from hicmd_tf.data.sources.folder import anything
    from hicmd_tf.runs.opened import OpenedRun
    from hicmd_tf.runs.trained import flattering
    from hicmd_tf.search.describe import described_folder, fill, stored_parts
    from hicmd_tf.search.entries import same_model

    if options.descriptors is not None:
        done = fill(store, *stored_parts(options.descriptors, options.time, store.held))
    else:
        listing = anything(options.images, options.modality, options.pattern or "")
        run = OpenedRun(options.run)
        same_model(store.info(), run.model.descriptor.digest())
        known = flattering(run.trained_on, FOLDER, (record.identity for record in listing.records))
        print("\n".join(filter(None, [*listing.taken, *listing.passed, known])), flush=True)
        parts = described_folder(run, options.images, listing, options.time, store.held)
        done = fill(store, parts, len(listing.records))
    said = [f"{counted(done.added, 'picture')} added"]
    if done.replaced:
        said.append(f"{done.replaced} replaced, which had changed")
    if done.already:
        said.append(f"{done.already} {'was' if done.already == 1 else 'were'} already there")
    print(f"{', '.join(said)}; the gallery has {done.rows}")
    if done.failed:
        more = f" and {done.failed - len(done.named):,} more" if done.failed > len(done.named) else ""
        notice(f"{counted(done.failed, 'picture')} without a descriptor passed over: {', '.join(done.named)}{more}")


def _remove(options: argparse.Namespace) -> None:
    selection = _selection(options)
    if not selection:
        raise UserError("say which pictures: --path, --identity, --camera, --not-camera, --only, --after or --before")
    store = _store(options)
    _refuse_unknown(options, store, selection)
    removed = store.remove(selection)
    print(f"{'no picture fits' if not removed else f'removed {removed}'}; the gallery has {store.info().rows}")


def _info(options: argparse.Namespace) -> None:
    store = _store(options)
    info, held = store.info(), store.contents()
    if options.json:
        print(json.dumps({**info._asdict(), **held._asdict()}))
        return
    print(counted(info.rows, "picture"))
    for kind, numbers in (("modalities", held.modalities), ("people", held.people), ("cameras", held.cameras)):
        if numbers:
            each = [f"{printable(name)} ({count:,})" for name, count in numbers.items()]
            print(f"{kind}: {len(each):,}, with so many pictures: {some(each, LISTED)}")
    if held.tracks:
        print(f"tracks: {len(held.tracks):,}: {some([*map(printable, held.tracks)], LISTED)}")
    if held.first is not None and held.last is not None:
        print(f"times: from {shown(held.first)} to {shown(held.last)}")
    if info.rows:
        print(f"described by the model {info.model or 'that is not named'}, {info.length} numbers a picture")


def _query(options: argparse.Namespace) -> None:
    from hicmd_tf.search.asking import look_up
    from hicmd_tf.search.entries import same_model

    inverted = _inverted(options)
    selection, store = _selection(options), _store(options, inverted)
    _refuse_unknown(options, store, selection)
    run = _run(options)
    queries = _asked(options, run, store)
    options.together = options.together or options.track is not None
    same_model(store.info(), queries.model)
    several = options.together or options.group_by is not None
    threshold = None if run is None or several else run.threshold  # which is of pairs of pictures
    among: Among = "same" if options.same_modality else "both" if options.both else "other"
    if store.info().rows >= MANY:
        waiting("searching")
    asked = (queries.descriptors, queries.entries, options.k, selection, among, options.itself)
    answers = look_up(store, *asked, threshold, options.together, options.group_by, options.pool or "mean")
    names = list(map(str, options.picture or [entry.path for entry in queries.entries]))
    alone = [([name], [entry]) for name, entry in zip(names, queries.entries, strict=True)]
    sets = [(names, queries.entries)] if options.together else alone
    found = zip(sets, answers, strict=True)
    if options.json:
        print(json.dumps([_as_json(*of, answer, options) for of, answer in found]))
    else:
        marked = threshold is not None
        print("\n".join(_as_text(*of, answer, options, bool(selection), marked) for of, answer in found))
        if threshold is not None and any(answer.hits for answer in answers):
            print(threshold.words)
        if inverted is not None and inverted.recall is not None:
            first, ten = inverted.recall
            print(f"inverted file: recall {ten:.4f} of the ten nearest, {first:.4f} of the first")
        elif inverted is not None:
            print("the gallery has too few rows for an inverted file: searched exactly")
    if options.draw is not None:
        from hicmd_tf.search.draw import draw

        draw(options.draw, [entries for _, entries in sets], [answer.hits for answer in answers], threshold)
        print(options.draw, file=sys.stderr if options.json else sys.stdout)


def _run(options: argparse.Namespace) -> "OpenedRun | None":
    """Whose model describes; nobody's where descriptors are given."""
    from hicmd_tf.runs.opened import OpenedRun

    return None if options.run is None else OpenedRun(options.run)


def _asked(options: argparse.Namespace, run: "OpenedRun | None", store: "Store") -> "Described":
    from hicmd_tf.search.describe import described_pictures, of_track, stored

    if options.track is not None:
        return of_track(store, options.track)
    if run is None:
        return stored(options.descriptors)
    options.picture = [file for path in options.picture for file in _pictures(path)]
    return described_pictures(run, options.picture, options.modality, options.together)


def _pictures(path: Path) -> list[Path]:
    """A picture, or those in a folder, at any depth. Raises UserError for a folder without any."""
    if not path.is_dir():
        return [path]
    from hicmd_tf.data.sources.walking import sentences, walked

    walk = walked(path)
    if not walk.pictures:
        raise UserError(f"{path} is a folder without pictures: name a picture, or a folder that has some")
    print("\n".join(sentences(walk.passed)), end="\n" if walk.passed else "", file=sys.stderr)
    return [path / name for name in walk.pictures]


def _store(options: argparse.Namespace, inverted: "InvertedFile | None" = None) -> "Store":
    if options.index is not None:
        from hicmd_tf.search.gallery import Gallery

        return Gallery.open(options.index, inverted)
    from hicmd_tf.search.milvus import MilvusGallery

    return MilvusGallery.open(options.uri, options.collection or COLLECTION, options.token or "")


def _inverted(options: argparse.Namespace) -> "InvertedFile | None":
    if not options.ivf:
        return None
    from hicmd_tf.search.nearest import InvertedFile

    given = {name: getattr(options, name) for name in ("lists", "probes", "least_recall")}
    return InvertedFile(**{name: value for name, value in given.items() if value is not None})


def _selection(options: argparse.Namespace) -> "Selection":
    from hicmd_tf.search.entries import Selection

    if None not in (options.after, options.before) and options.after >= options.before:
        raise UserError("--after is not before --before, so no picture fits: swap them")
    paths = None if options.path is None else [name for path in options.path for name in _names(path)]
    when = options.after, options.before
    return Selection(paths, options.identity, options.camera, options.only, *when, options.not_camera)


def _refuse_unknown(options: argparse.Namespace, store: "Store", selection: "Selection") -> None:
    """Raises UserError for people and cameras that a gallery lacks, and where it lacks every given path; names single
    ones of these."""
    from hicmd_tf.search.entries import refuse_unknown

    refuse_unknown(store, selection)
    lacking = [path for path in options.path or () if not store.held(_names(path))]
    if lacking and store.info().rows:
        said = f"the gallery has no picture {some(lacking, 3)}"
        if len(lacking) == len(options.path):
            raise UserError(f"{said}: give paths as its hits have them")
        notice(f"{said}; {'it is' if len(lacking) == 1 else 'they are'} passed over")


def _names(path: Path) -> list[str]:
    """By which a gallery may have a picture: its file, or the name that a file of descriptors gave it."""
    return [str(path), str(path.resolve())]


def _as_json(
    names: list[str], queries: "Sequence[Entry]", answer: "Answer", options: argparse.Namespace
) -> dict[str, Any]:
    return {
        **({"queries": names} if options.together else {"query": names[0]}),
        "modality": queries[0].modality,
        "among": answer.among or "both",
        "hits": [
            {
                "similarity": hit.similarity,
                "mark": hit.mark,
                "probability": hit.probability,
                **({"pictures": hit.pictures} if options.group_by else {}),
                **hit.entry._asdict(),
            }
            for hit in answer.hits
        ],
        "left_out": [entry.path for entry in answer.left_out],
    }


def _as_text(
    names: list[str],
    queries: "Sequence[Entry]",
    answer: "Answer",
    options: argparse.Namespace,
    filtered: bool,
    marked: bool,
) -> str:
    name = printable(names[0]) if len(names) == 1 else f"{printable(names[0])} and {len(names) - 1} more"
    name = name if options.track is None else f"track {printable(options.track)}, {counted(len(names), 'picture')}"
    several = f", by {options.group_by}" if options.group_by else ""
    several += f" ({POOLS[options.pool or 'mean']})" if options.group_by or options.together else ""
    lines = [f"{name}: {queries[0].modality}, looked up among {answer.among or 'all'} pictures{several}"]
    grouped, tracked = bool(options.group_by), any(hit.entry.track for hit in answer.hits)
    columns = {  # name: (whether there is such a column, its side)
        "rank": (True, ">"),
        "similarity": (True, ">"),
        "same person?": (marked, "<"),
        "pictures": (grouped, ">"),
        "identity": (True, ">"),
        "camera": (True, ">"),
        "track": (tracked, "<"),
        "modality": (True, "<"),
        "time": (True, "<"),
        "path": (True, "<"),
    }
    rows = [[*columns]]
    for rank, hit in enumerate(answer.hits, 1):
        entry, similarity = hit.entry, f"{hit.similarity:.4f}"
        row = [str(rank), similarity, hit.mark or "-", str(hit.pictures), entry.who, entry.taken_by, entry.track or "-"]
        rows.append([*map(printable, row), entry.modality, shown(entry.time), printable(entry.path)])
    if answer.hits:
        there = [there for there, _ in columns.values()]
        sides = "".join(side for there, side in columns.values() if there)
        lines.append(as_text([[*itertools.compress(row, there)] for row in rows], sides))
    elif filtered:
        lines.append("nothing was found: no picture there is of the given people, cameras, times or paths")
    else:
        lines.append("nothing was found" + ("; --both looks among pictures of both modalities" if answer.among else ""))
    if answer.left_out:
        lines.append(
            f"left out: {counted(len(answer.left_out), 'picture')} of the gallery, the query itself"
            f"{' and its track' if any(entry.track for entry in answer.left_out) else ''} (--itself shows it)"
        )
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = Parser("hicmd search", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> Any:
        found = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        found.set_defaults(command=run)
        where = found.add_mutually_exclusive_group(required=True).add_argument
        where("--index", metavar="DIR", type=Path, help="folder of the gallery")
        where("--uri", metavar="URI", help="Milvus server, such as http://127.0.0.1:19530, or a file of milvus-lite")
        found.add_argument("--collection", metavar="NAME", help=f"on that server (default: {COLLECTION})")
        found.add_argument("--token", help="user:password, or key, for that server")
        return found

    for name, run, text in (("index", _index, "makes a gallery"), ("add", _add, "adds to a gallery")):
        add = _add_pictures(
            command(name, run, text), "--images", metavar="DIR", help="folder with pictures, at any depth"
        )
        add(
            "--modality",
            type=modality,
            metavar="MODALITY",
            help="visible or infrared, all of them; else of those below folders of these names",
        )
        add("--pattern", metavar="REGEX", help="what paths say: groups identity, camera, modality, track, time")
        add("--time", type=_moment, metavar="TIME", help="of all of them (default: each file's)")

    query = command("query", _query, "finds pictures like others")
    ask = _add_pictures(
        query, "--picture", nargs="+", action="extend", metavar="FILE", help="what to look for; a folder: all in it"
    )
    ask(
        "--modality",
        type=modality,
        metavar="MODALITY",
        help="of these pictures: visible or infrared (default: as their paths or a table say)",
    )
    ask("-k", type=positive, default=10, metavar="N", help="how many to find (default: %(default)s)")
    ask("--together", action="store_true", help="all of them are one query, of one person")
    ask("--group-by", choices=("person", "track"), help="find these, each once, with how many pictures")
    ask(
        "--pool", choices=[*POOLS], help="several pictures by their mean descriptor, or their best pair (default: mean)"
    )
    ask("--json", action="store_true", help="for programs")
    ask("--draw", metavar="FILE", type=png, help="PNG to draw the ranked lists into")
    ask("--ivf", action="store_true", help="search with an inverted file, made anew when the gallery has changed")
    ask("--lists", type=positive, metavar="N", help="of the inverted file (default: four times the root of the rows)")
    ask("--probes", type=positive, metavar="N", help="lists looked into (default: 16)")
    ask("--least-recall", type=share, metavar="X", help="of the ten nearest (default: 0.95)")
    ask("--itself", action="store_true", help="also pictures of the gallery that are the query itself")
    among = query.add_mutually_exclusive_group()
    among.add_argument("--same-modality", action="store_true", help="among pictures of the query's own modality")
    among.add_argument("--both", action="store_true", help="among pictures of both (default: of the other modality)")
    _add_selection(query, among)
    remove = command("remove", _remove, "removes pictures from a gallery")
    _add_selection(remove, remove)
    told = command("info", _info, "says what a gallery holds")
    told.add_argument("--json", action="store_true", help="for programs")
    return parser


def _add_pictures(parser: Any, option: str, **words: Any) -> Any:
    """Adds the options for pictures to describe, or for stored descriptors; returns the function that adds more."""
    what = parser.add_mutually_exclusive_group(required=True).add_argument
    what(option, type=Path, **words)
    what("--descriptors", metavar="FILE", type=Path, help="what hicmd extract wrote, instead")
    if option == "--picture":
        what("--track", metavar="NAME", help="a track of the gallery, whose pictures there are the query, instead")
    parser.add_argument("--run", metavar="DIR", type=Path, help="run folder whose model describes")
    return parser.add_argument


def _add_selection(parser: Any, among: Any) -> None:
    add = parser.add_argument
    add("--path", nargs="+", action="extend", metavar="FILE", type=Path, help="only these")
    add("--identity", nargs="+", action="extend", metavar="NAME", help="only of these people")
    add("--camera", nargs="+", action="extend", metavar="NAME", help="only by these cameras")
    add("--not-camera", nargs="+", action="extend", metavar="NAME", help="none by these cameras")
    among.add_argument("--only", type=modality, metavar="MODALITY", help="only of this modality, visible or infrared")
    add("--after", type=_moment, metavar="TIME", help="only from then on, such as 2026-11-01T08:00")
    add("--before", type=_moment, metavar="TIME", help="only before then")


def _moment(text: str) -> float:
    try:
        return moment(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no time, {EXPECTED}") from error
