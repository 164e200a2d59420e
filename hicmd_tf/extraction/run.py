"""One extraction, from the list of its pictures to its last part, on either engine."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

from tqdm import tqdm

from hicmd_tf.errors import counted
from hicmd_tf.extraction import on_ray
from hicmd_tf.extraction.describers import Model, Opened
from hicmd_tf.extraction.job import Begin, Job, Manifest, Out, Summary, begun
from hicmd_tf.extraction.work import Found, Place, found_in

NAMED = 5  # pictures in a message


class Wanted(NamedTuple):
    """What is asked for. of, digest, size: as `job.begun` has them. place: how pictures are read. again: whether parts
    with an error are made anew."""

    out: Out
    of: dict[str, str]
    place: Place
    digest: str = ""
    size: int | None = None
    again: bool = False


class Done(NamedTuple):
    """manifest, summary: of the whole. fresh: pictures that this call described, or tried to. seconds: that took."""

    manifest: Manifest
    summary: Summary
    fresh: int
    seconds: float


def extract(wanted: Wanted, model: Model, begin: Begin, ray: on_ray.Ray | None = None) -> Done:
    """Does what is not done yet, and says what there is. begin: looks for the pictures, where none were listed yet.
    ray: None: in this process. Raises UserError for a place or a model that can't be used, never for a picture."""
    with ExitStack() as stack:
        opened: Opened | None = None
        room = 0

        def about() -> tuple[str, int]:
            nonlocal opened, room
            if ray is None:
                opened = model.open()
                return opened.digest, opened.length
            room = stack.enter_context(on_ray.started(ray, model))
            return on_ray.about(model)

        job = stack.enter_context(
            begun(wanted.out, wanted.of, wanted.place.root, wanted.digest, wanted.size, about, begin, wanted.again)
        )
        pending, total = job.pending(wanted.again), job.manifest.rows
        todo = sum(map(job.count, pending))
        if len(pending) < job.manifest.parts:
            print(f"{job.place}: {total - todo:,} of {counted(total, 'picture')} are there already", flush=True)
        start = time.monotonic()
        with tqdm(desc="describing", total=total, initial=total - todo, unit="picture", leave=False) as bar:
            found = (
                on_ray.found(job, pending, wanted.place, model, room)
                if opened is None
                else _here(job, pending, wanted.place, opened)
            )
            job.put(found, pending, bar.update)
        took = time.monotonic() - start
        if job.kept:
            kept = counted(job.kept, "picture")
            print(f"{wanted.out.target}: {kept} can't be used any more, and kept the descriptors of before", flush=True)
        summary = job.summary(NAMED)
        if summary.described:
            job.finish()
        return Done(job.manifest, summary, todo, took)


def _here(job: Job, pending: list[int], place: Place, opened: Opened) -> Iterator[Found]:
    for part in pending:
        yield from found_in(part, job.pictures(part), place, opened.describe, opened.length)
