"""`hicmd search`: a gallery of descriptors, kept and searched.

  hicmd search index --index DIR --run RUN --images FOLDER     a new gallery of pictures
  hicmd search index --index DIR --descriptors FILE.npz        or of what hicmd extract wrote
  hicmd search add --index DIR --run RUN --images FOLDER       more pictures, and changed ones
  hicmd search query --index DIR --run RUN --picture FILE.. --modality infrared
  hicmd search remove --index DIR --before 2026-11-01
  hicmd search info --index DIR

A query finds pictures of the other modality, not itself; --same-modality, --both and --itself say otherwise. The same
index command goes on where it was stopped. Every command takes --uri http://HOST:19530 --collection NAME instead of
--index, and then speaks to a Milvus server.
Search is exact unless --ivf asks for an inverted file, whose recall is measured first.
"""

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hicmd_tf.arguments import Parser, png, positive, share
from hicmd_tf.data.labels import number
from hicmd_tf.errors import UserError, printable
from hicmd_tf.notation import MODALITIES

if TYPE_CHECKING:
    from hicmd_tf.search import Answer, Entry, Selection, Store
    from hicmd_tf.search.asking import Among
    from hicmd_tf.search.describe import Described
    from hicmd_tf.search.nearest import InvertedFile

COLLECTION = "hicmd"


def main(arguments: Sequence[str]) -> None:
    """Reads the command line and does what it says."""
    options = _parser().parse_args(arguments)
    if (options.index is None) == (options.uri is None):
        raise UserError("give either --index, a folder, or --uri, a Milvus server: where the gallery is kept")
    if options.uri is None:
        _refuse(options, "--uri, a Milvus server", "collection", "token")
    options.collection = options.collection or COLLECTION
    options.command(options)


def _refuse(options: argparse.Namespace, goes_with: str, *names: str) -> None:
    """Raises UserError for an option of the names that is given though it would do nothing."""
    for name in names:
        value = getattr(options, name, None)
        if value is not None and value != "":
            raise UserError(f"--{name.replace('_', '-')} goes with {goes_with}: leave it out, or give that")


def _index(options: argparse.Namespace) -> None:
    from hicmd_tf.search.gallery import Gallery
    from hicmd_tf.search.milvus import MilvusGallery

    _check_given(options)
    if options.index is not None:
        Gallery.refuse_complete(options.index)  # before the model takes its time
    else:
        MilvusGallery.refuse_complete(options.uri, options.collection, options.token or "")
    store: Store | None = None

    def begin(model: str, length: int) -> "Store":
        nonlocal store
        if options.index is not None:
            store = Gallery.begin(options.index, model, length)
        else:
            store = MilvusGallery.begin(options.uri, options.collection, model, length, options.token or "")
        if store.info().rows:
            print(f"going on with an index that was stopped at {store.info().rows} pictures")
        return store

    _fill(options, begin)
    if store is not None:
        store.finish()


def _add(options: argparse.Namespace) -> None:
    from hicmd_tf.search.entries import same_model

    _check_given(options)
    store = _store(options)
    if not store.complete():
        raise UserError(
            f"the index of {options.index or options.collection} was stopped, or goes on, at {store.info().rows} "
            f"pictures: give the same index command again, which goes on where it stopped, then add"
        )

    def same(model: str, _: int) -> "Store":
        if store.info().rows or options.index is not None:
            same_model(store.info().model, model)
        return store

    _fill(options, same)


def _fill(options: argparse.Namespace, opened: "Callable[[str, int], Store]") -> None:
    """Adds part by part; what is on disk stays there. opened: the gallery, for a model and descriptors of a length."""
    from tqdm import tqdm

    total, model, length, parts = _given(options)
    store = opened(model, length)
    before, written, already = store.info().rows, 0, 0
    with tqdm(desc="adding", unit="picture", leave=False, total=total) as bar:
        for part in parts(store):
            count = store.add(part.descriptors, part.entries, model) if part.entries else 0
            written += count
            already += part.already + len(part.entries) - count
            bar.update(len(part.entries) + part.already)
    rows = store.info().rows
    said = [f"{rows - before} pictures added"]
    if written > rows - before:
        said.append(f"{written - (rows - before)} replaced, which had changed")
    if already:
        said.append(f"{already} were already there")
    print(f"{', '.join(said)}; the gallery has {rows}")


def _remove(options: argparse.Namespace) -> None:
    selection = _selection(options)
    if not selection:
        raise UserError("say which pictures: --path, --identity, --camera, --only, --after or --before")
    store = _store(options)
    missing = _missing(store, options.path)
    print(f"{store.remove(selection)} pictures removed; the gallery has {store.info().rows}")
    if missing:
        print(missing)


def _missing(store: "Store", given: Sequence[Path] | None) -> str:
    """Which of the paths a gallery does not have, in words."""
    missing = [path for path in given or () if not store.held(_names(path))]
    if not missing:
        return ""
    return f"{len(missing)} of the given paths are not in it: {printable(str(missing[0]))}{' ..' * (len(missing) > 1)}"


def _info(options: argparse.Namespace) -> None:
    store = _store(options)
    print(json.dumps({**store.info()._asdict(), "complete": store.complete()}))


def _query(options: argparse.Namespace) -> None:
    from hicmd_tf.search.asking import look_up, searched

    _check_query(options)
    inverted = _inverted(options)
    store = _store(options, inverted)
    if not store.complete():
        warnings.warn(
            f"the index of this gallery was stopped, or goes on: {store.info().rows} pictures are searched",
            stacklevel=2,
        )
    selection, among = _selection(options), _among(options)
    queries, names = _asked(options, store.info().model)
    answers = look_up(store, queries.descriptors, queries.entries, options.k, selection, among, options.itself)
    asked = [
        (name, entry, searched(entry, selection, among)) for name, entry in zip(names, queries.entries, strict=True)
    ]
    if options.json:
        print(json.dumps([_as_json(*one, answer) for one, answer in zip(asked, answers, strict=True)]))
    else:
        for one, answer in zip(asked, answers, strict=True):
            print(_as_text(*one, answer))
        if inverted is not None and inverted.recall is not None:
            print(
                f"inverted file: recall {inverted.recall.ten:.4f} of the ten nearest, "
                f"{inverted.recall.first:.4f} of the first"
            )
    beside = sys.stderr if options.json else sys.stdout
    missing = _missing(store, options.path)
    if missing:
        print(missing, file=beside)
    if options.draw is not None:
        from hicmd_tf.search.draw import draw

        draw(options.draw, queries.entries, [answer.hits for answer in answers], queries.sixteen_bit)
        print(options.draw, file=beside)


def _check_query(options: argparse.Namespace) -> None:
    """Raises UserError for options that don't go together."""
    if (options.picture is None) == (options.descriptors is None):
        raise UserError("give either --picture with --run and --modality, or --descriptors: what is looked for")
    if options.picture is None:
        _refuse(options, "--picture", "run", "modality")
    elif options.run is None or options.modality is None:
        raise UserError("--picture needs --run, whose model describes it, and --modality, which camera took it")
    if not options.ivf:
        _refuse(options, "--ivf", "lists", "probes", "least_recall")
    else:
        for name in ("path", "identity", "camera", "after", "before"):
            if getattr(options, name) is not None:
                raise UserError(
                    f"--ivf searches a whole gallery or one modality of it: leave --{name} out, or search exactly"
                )
        if options.uri is not None:
            raise UserError("--ivf is for a gallery in a folder: a Milvus server has indexes of its own")


def _among(options: argparse.Namespace) -> "Among":
    return "same" if options.same_modality else "both" if options.both else "other"


def _asked(options: argparse.Namespace, gallery: str) -> tuple["Described", list[str]]:
    """The queries, and what the user calls them. gallery: the digest of its model, which must be theirs."""
    from hicmd_tf.runs.opened import OpenedRun
    from hicmd_tf.search.describe import described_pictures, stored
    from hicmd_tf.search.entries import same_model

    if options.descriptors is not None:
        digest, described = stored(options.descriptors)
        same_model(gallery, digest)
        return described, [entry.path for entry in described.entries]
    run = OpenedRun(options.run)
    same_model(gallery, run.model.descriptor.digest())
    return described_pictures(run, options.picture, options.modality), list(map(str, options.picture))


def _check_given(options: argparse.Namespace) -> None:
    """Raises UserError for options that don't go together."""
    if (options.images is None) == (options.descriptors is None):
        raise UserError("give either --images with --run, or --descriptors: what is to be added")
    if options.images is None:
        _refuse(options, "--images", "run", "modality", "pattern")
    elif options.run is None:
        raise UserError("--images needs --run, whose model describes them")


def _given(
    options: argparse.Namespace,
) -> tuple[int, str, int, "Callable[[Store], Iterable[Described]]"]:
    """How many pictures, the model's digest, the descriptors' length, and what is to be added to a gallery."""
    from hicmd_tf.runs.opened import OpenedRun
    from hicmd_tf.search.describe import dated, described_folder, stored

    if options.descriptors is not None:
        digest, described = stored(options.descriptors, options.time)

        def whole(store: "Store") -> "Iterable[Described]":
            entries = described.entries
            known = store.held([entry.path for entry in entries]) if options.time is None else {}
            return [described._replace(entries=dated(entries, known))]

        return len(described.entries), digest, described.descriptors.shape[1], whole
    from hicmd_tf.data.sources.folder import anything

    listing = anything(options.images, options.modality, options.pattern)
    run = OpenedRun(options.run)
    digest, length = run.model.descriptor.digest(), run.config.networks.feature_learning.embedding
    print("\n".join([*listing.taken, *listing.passed]), flush=True)
    folder, records = options.images, listing.records

    def parts(store: "Store") -> "Iterable[Described]":
        return described_folder(run, folder, records, options.time, listing.texts, store.held)

    return len(records), digest, length, parts


def _store(options: argparse.Namespace, inverted: "InvertedFile | None" = None) -> "Store":
    if options.index is not None:
        from hicmd_tf.search.gallery import Gallery

        return Gallery.open(options.index, inverted)
    from hicmd_tf.search.milvus import MilvusGallery

    return MilvusGallery(options.uri, options.collection, options.token or "")


def _inverted(options: argparse.Namespace) -> "InvertedFile | None":
    if not options.ivf:
        return None
    from hicmd_tf.search.nearest import InvertedFile

    given = {name: getattr(options, name) for name in ("lists", "probes", "least_recall")}
    return InvertedFile(**{name: value for name, value in given.items() if value is not None})


def _selection(options: argparse.Namespace) -> "Selection":
    from hicmd_tf.search.entries import Selection

    paths = None if options.path is None else [name for path in options.path for name in _names(path)]
    return Selection(paths, options.identity, options.camera, options.only, options.after, options.before)


def _names(path: Path) -> list[str]:
    """By which a gallery may have a picture: its file, or the name that a file of descriptors gave it."""
    from hicmd_tf.search.entries import real

    return [str(path), real(path)]


def _as_json(name: str, query: "Entry", among: str | None, answer: "Answer") -> dict[str, Any]:
    return {
        "query": name,
        "modality": query.modality,
        "among": among or "both",
        "hits": [{"similarity": hit.similarity, **hit.entry._asdict()} for hit in answer.hits],
        "left_out": [entry.path for entry in answer.left_out],
    }


def _as_text(name: str, query: "Entry", among: str | None, answer: "Answer") -> str:
    lines = [f"{printable(name)}: {query.modality}, looked up among {among or 'all'} pictures"]
    people = ["identity", *(printable(hit.entry.who) for hit in answer.hits)]
    cameras = ["camera", *(printable(hit.entry.taken_by) for hit in answer.hits)]
    wide, broad = max(map(len, people)), max(map(len, cameras))
    lines.append(f"rank  similarity  {people[0]:>{wide}}  {cameras[0]:>{broad}}  modality  time                 path")
    for rank, (similarity, entry) in enumerate(answer.hits, 1):
        when = datetime.fromtimestamp(entry.time).isoformat(" ", "seconds")
        known = f"{people[rank]:>{wide}}  {cameras[rank]:>{broad}}  {entry.modality:8}  {when}"
        lines.append(f"{rank:4}  {similarity:10.4f}  {known}  {printable(entry.path)}")
    if not answer.hits:
        lines[1:] = ["nothing was found" + ("; --both looks among pictures of both modalities" if among else "")]
    if answer.left_out:
        lines.append(f"left out: {len(answer.left_out)} in the gallery that are the query itself (--itself shows them)")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = Parser("hicmd search", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> Any:
        found = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        found.set_defaults(command=run)
        add = found.add_argument
        add("--index", metavar="DIR", type=Path, help="folder of the gallery")
        add("--uri", metavar="URI", help="Milvus server, such as http://127.0.0.1:19530, or a file of milvus-lite")
        add("--collection", metavar="NAME", help=f"on that server (default: {COLLECTION})")
        add("--token", help="user:password, or key, for that server")
        return found

    for name, run, text in (("index", _index, "makes a gallery"), ("add", _add, "adds to a gallery")):
        given = command(name, run, text).add_argument
        given("--run", metavar="DIR", type=Path, help="run folder whose model describes")
        given("--images", metavar="DIR", type=Path, help="folder with pictures, at any depth")
        given("--modality", choices=MODALITIES, help="of all of them; else of those below folders of these names")
        given("--pattern", default="", metavar="REGEX", help="what paths say: groups identity, camera, modality")
        given("--descriptors", metavar="FILE", type=Path, help=".npz that hicmd extract wrote")
        given("--time", type=_moment, metavar="TIME", help="of all of them (default: each file's)")

    query = command("query", _query, "finds pictures like others")
    ask = query.add_argument
    ask("--run", metavar="DIR", type=Path, help="run folder whose model describes")
    ask("--picture", nargs="+", action="extend", metavar="FILE", type=Path, help="what to look for")
    ask("--modality", choices=MODALITIES, help="of these pictures")
    ask("--descriptors", metavar="FILE", type=Path, help=".npz that hicmd extract wrote, to look for")
    ask("-k", type=positive, default=10, metavar="N", help="how many to find (default: %(default)s)")
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
    _add_selection(command("remove", _remove, "removes pictures from a gallery"))
    command("info", _info, "says what a gallery holds")
    return parser


def _add_selection(parser: Any, among: Any = None) -> None:
    add = parser.add_argument
    add("--path", nargs="+", action="extend", metavar="FILE", type=Path, help="only these")
    add("--identity", nargs="+", action="extend", metavar="NAME", type=number, help="only of these people")
    add("--camera", nargs="+", action="extend", metavar="NAME", type=number, help="only by these cameras")
    (among or parser).add_argument("--only", choices=MODALITIES, help="only of this modality")
    add("--after", type=_moment, metavar="TIME", help="only from then on, such as 2026-11-01T08:00")
    add("--before", type=_moment, metavar="TIME", help="only before then")


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise argparse.ArgumentTypeError(f"{text} is no time, expected such as 2026-11-01T08:00") from error
