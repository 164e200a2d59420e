"""`python -m hicmd_tf.search`: a gallery of descriptors, kept and searched.

  python -m hicmd_tf.search index --index DIR --run RUN --images FOLDER     a new gallery of pictures
  python -m hicmd_tf.search index --index DIR --descriptors FILE.npz        or of what hicmd_tf.extract wrote
  python -m hicmd_tf.search add --index DIR --run RUN --images FOLDER       more pictures; known paths are left
  python -m hicmd_tf.search query --index DIR --run RUN --picture FILE.. --modality infrared
  python -m hicmd_tf.search remove --index DIR --before 2026-11-01
  python -m hicmd_tf.search info --index DIR

Every command takes --uri http://HOST:19530 --collection NAME instead of --index, and then speaks to a Milvus server.
Search is exact unless --ivf asks for an inverted file, whose recall is measured first.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hicmd_tf.arguments import Parser, positive
from hicmd_tf.errors import UserError, printable, run_command
from hicmd_tf.notation import MODALITIES
from hicmd_tf.search.entries import Entry, Hit, Selection, Store

if TYPE_CHECKING:
    from hicmd_tf.search.describe import Described, Model
    from hicmd_tf.search.inverted import InvertedFile


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line and does what it says."""
    options = _parser().parse_args(arguments)
    if (options.index is None) == (options.uri is None):
        raise UserError("give either --index, a folder, or --uri, a Milvus server: where the gallery is kept")
    options.command(options)


def _index(options: argparse.Namespace) -> None:
    model, parts, length = _given(options)
    if options.index is not None:
        from hicmd_tf.search.gallery import Gallery

        _fill(Gallery.create(options.index, model, length), model, parts)
    else:
        from hicmd_tf.search.milvus import MilvusGallery

        _fill(MilvusGallery.create(options.uri, options.collection, length, options.token), model, parts)


def _add(options: argparse.Namespace) -> None:
    store = _store(options)
    model, parts, _ = _given(options)
    _fill(store, model, parts)


def _fill(store: Store, model: str, parts: Iterator[tuple[int, "Described"]]) -> None:
    """Adds part by part; what is printed as added is safe."""
    from tqdm import tqdm

    added = seen = 0
    with tqdm(desc="adding", unit="picture", leave=False) as bar:
        for total, part in parts:
            bar.total = total
            added += store.add(part.descriptors, part.entries, model)
            seen += len(part.entries)
            bar.update(len(part.entries))
    print(f"{added} pictures added, {seen - added} were known; the gallery has {store.info().rows}")


def _remove(options: argparse.Namespace) -> None:
    selection = _selection(options)
    if not selection:
        raise UserError("say which pictures: --path, --identity, --camera, --only, --after or --before")
    store = _store(options)
    print(f"{store.remove(selection)} pictures removed; the gallery has {store.info().rows}")


def _info(options: argparse.Namespace) -> None:
    print(json.dumps(_store(options).info()._asdict()))


def _query(options: argparse.Namespace) -> None:
    inverted = _inverted(options)
    store = _store(options, inverted)
    model, queries = _asked(options)
    from hicmd_tf.search.entries import same_model

    same_model(store.info().model, model)
    found = store.search(queries.descriptors, options.k, _selection(options))
    if options.json:
        print(json.dumps([_as_json(query, hits) for query, hits in zip(queries.entries, found, strict=True)]))
    else:
        for query, hits in zip(queries.entries, found, strict=True):
            print(_as_text(query, hits))
    if inverted is not None and inverted.recall is not None and not options.json:
        print(
            f"inverted file: recall {inverted.recall.ten:.4f} of the ten nearest, "
            f"{inverted.recall.first:.4f} of the first"
        )
    if options.draw is not None:
        from hicmd_tf.search.draw import draw

        draw(options.draw, queries.entries, found)
        print(options.draw)


def _asked(options: argparse.Namespace) -> tuple[str, "Described"]:
    from hicmd_tf.search.describe import Model, described_pictures, stored

    if (options.picture is None) == (options.descriptors is None):
        raise UserError("give either --picture with --run and --modality, or --descriptors: what is looked for")
    if options.descriptors is not None:
        return stored(options.descriptors, 0.0)
    if options.run is None or options.modality is None:
        raise UserError("--picture needs --run, whose model describes it, and --modality, which camera took it")
    model = Model(options.run)
    return model.digest, described_pictures(model, options.picture, options.modality)


def _given(options: argparse.Namespace) -> tuple[str, Iterator[tuple[int, "Described"]], int]:
    """The model's digest, (pictures in all, a part of them) one after another, and the descriptors' length."""
    from hicmd_tf.search.describe import Model, stored

    if (options.images is None) == (options.descriptors is None):
        raise UserError("give either --images with --run, or --descriptors: what is to be added")
    if options.descriptors is not None:
        digest, described = stored(options.descriptors, options.time or time.time())
        return digest, iter([(len(described.entries), described)]), described.descriptors.shape[1]
    if options.run is None:
        raise UserError("--images needs --run, whose model describes them")
    model = Model(options.run)
    return model.digest, _pictures(model, options), model.length


def _pictures(model: "Model", options: argparse.Namespace) -> Iterator[tuple[int, "Described"]]:
    """Pictures that the gallery does not have yet, described part by part."""
    from hicmd_tf.data.sources.folder import anything
    from hicmd_tf.search.describe import described_folder

    listing = anything(options.images, options.modality, options.pattern)
    print("\n".join([*listing.taken, *listing.passed]), flush=True)
    paths = {str((options.images / record.name).absolute()): record for record in listing.records}
    known = _store(options).known(list(paths))
    if known:
        print(f"{len(known)} pictures are known already")
    fresh = [record for path, record in paths.items() if path not in known]
    for part in described_folder(model, options.images, fresh, options.time, listing.texts):
        yield len(fresh), part


def _store(options: argparse.Namespace, inverted: "InvertedFile | None" = None) -> Store:
    if options.index is not None:
        from hicmd_tf.search.gallery import Gallery

        return Gallery.open(options.index, inverted)
    if inverted is not None:
        raise UserError("--ivf is for a gallery in a folder: a Milvus server has indexes of its own")
    from hicmd_tf.search.milvus import MilvusGallery

    return MilvusGallery(options.uri, options.collection, options.token)


def _inverted(options: argparse.Namespace) -> "InvertedFile | None":
    if not options.ivf:
        return None
    from hicmd_tf.search.inverted import InvertedFile

    return InvertedFile(options.lists, options.probes, options.least_recall)


def _selection(options: argparse.Namespace) -> Selection:
    paths = tuple(str(path.absolute()) for path in options.path)
    return Selection(paths, tuple(options.identity), tuple(options.camera), options.only, options.after, options.before)


def _as_json(query: Entry, hits: Sequence[Hit]) -> dict[str, Any]:
    return {"query": query.path, "hits": [{"similarity": hit.similarity, **hit.entry._asdict()} for hit in hits]}


def _as_text(query: Entry, hits: Sequence[Hit]) -> str:
    lines = [printable(query.path), "rank  similarity  identity  camera  modality  time                 path"]
    for rank, (similarity, entry) in enumerate(hits, 1):
        when = datetime.fromtimestamp(entry.time).isoformat(" ", "seconds")
        lines.append(
            f"{rank:4}  {similarity:10.4f}  {entry.identity:8}  {entry.camera:6}  {entry.modality:8}  {when}  "
            f"{printable(entry.path)}"
        )
    return "\n".join(lines if hits else [lines[0], "nothing was found"])


def _parser() -> argparse.ArgumentParser:
    parser = Parser("python -m hicmd_tf.search", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> Any:
        found = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        found.set_defaults(command=run)
        add = found.add_argument
        add("--index", metavar="DIR", type=Path, help="folder of the gallery")
        add("--uri", metavar="URI", help="Milvus server, such as http://127.0.0.1:19530, or a file of milvus-lite")
        add("--collection", metavar="NAME", default="hicmd", help="on that server (default: %(default)s)")
        add("--token", default="", help="user:password, or key, for that server")
        return found

    for name, run, text in (("index", _index, "makes a gallery"), ("add", _add, "adds to a gallery")):
        given = command(name, run, text).add_argument
        given("--run", metavar="DIR", type=Path, help="run folder whose model describes")
        given("--images", metavar="DIR", type=Path, help="folder with pictures, at any depth")
        given("--modality", choices=MODALITIES, help="of all of them; else of those below folders of these names")
        given("--pattern", default="", metavar="REGEX", help="what paths say: groups identity, camera, modality")
        given("--descriptors", metavar="FILE", type=Path, help=".npz that hicmd_tf.extract wrote")
        given("--time", type=_moment, metavar="TIME", help="of all of them (default: each file's)")

    query = command("query", _query, "finds pictures like others")
    ask = query.add_argument
    ask("--run", metavar="DIR", type=Path, help="run folder whose model describes")
    ask("--picture", nargs="+", metavar="FILE", type=Path, help="what to look for")
    ask("--modality", choices=MODALITIES, help="of these pictures")
    ask("--descriptors", metavar="FILE", type=Path, help=".npz that hicmd_tf.extract wrote, to look for")
    ask("-k", type=positive, default=10, metavar="N", help="how many to find (default: %(default)s)")
    ask("--json", action="store_true", help="for programs")
    ask("--draw", metavar="FILE", type=Path, help="PNG to draw the ranked lists into")
    ask("--ivf", action="store_true", help="search with an inverted file, made anew when the gallery has changed")
    ask("--lists", type=int, default=0, metavar="N", help="of the inverted file; 0: four times the root of the rows")
    ask("--probes", type=positive, default=16, metavar="N", help="lists looked into (default: %(default)s)")
    ask("--least-recall", type=float, default=0.95, metavar="X", help="of the ten nearest (default: %(default)s)")
    _add_selection(query)
    _add_selection(command("remove", _remove, "removes pictures from a gallery"))
    command("info", _info, "says what a gallery holds")
    return parser


def _add_selection(parser: Any) -> None:
    add = parser.add_argument
    add("--path", nargs="+", default=[], metavar="FILE", type=Path, help="only these")
    add("--identity", nargs="+", default=[], metavar="N", type=int, help="only of these people")
    add("--camera", nargs="+", default=[], metavar="N", type=int, help="only by these cameras")
    add("--only", choices=MODALITIES, help="only of this modality")
    add("--after", type=_moment, metavar="TIME", help="only from then on, such as 2026-11-01T08:00")
    add("--before", type=_moment, metavar="TIME", help="only before then")


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no time, expected such as 2026-11-01T08:00") from error


if __name__ == "__main__":
    run_command(main)
