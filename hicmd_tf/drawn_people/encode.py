"""Many pictures at once: on all cores, in order, as PNG."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hicmd_tf.config.schema import SyntheticConfig
from hicmd_tf.drawn_people.render import draw_picture
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality
from hicmd_tf.pictures.decode import as_png

Request = tuple[int, Modality, int]
"""Identity, modality, index."""

WORTH_A_PROCESS = 200
"""Pictures below which starting another process does not pay."""
LARGEST_CHUNK = 600


def all_requests(config: SyntheticConfig) -> list[Request]:
    """Every picture of the data set, by identity, modality, index."""
    indices = range(config.images_per_modality)
    return [(i, modality, index) for i in range(config.identities) for modality in MODALITIES for index in indices]


def request_of(name: str) -> Request:
    """The picture that `encode` gives that name."""
    identity, modality, index = name.split("/")
    return int(identity), VISIBLE if modality == VISIBLE else INFRARED, int(index)


def encode(config: SyntheticConfig, size: tuple[int, int], request: Request) -> dict[str, Any]:
    """One picture as the data set stores it: `image`, a PNG; `name`, such as 0123/visible/07; `identity`; `modality`;
    and the factors of `render.Picture`. size: (height, width) in pixels."""
    identity, modality, index = request
    picture = vars(draw_picture(config, size, identity, modality, index))
    known = {"name": f"{identity:04d}/{modality}/{index:02d}", "identity": identity, "modality": modality}
    return {"image": as_png(picture["pixels"]), **known, **{key: picture[key] for key in picture if key != "pixels"}}


def encode_all(config: SyntheticConfig, size: tuple[int, int], requests: Sequence[Request]) -> Iterator[dict[str, Any]]:
    """The requested pictures in order, drawn by as many processes as there are cores if they are many."""
    cores = len(os.sched_getaffinity(0))
    if cores == 1 or len(requests) <= WORTH_A_PROCESS:
        yield from (encode(config, size, request) for request in requests)
        return
    step = min(max(len(requests) // (4 * cores), WORTH_A_PROCESS // 2), LARGEST_CHUNK)
    chunks = [requests[start : start + step] for start in range(0, len(requests), step)]
    pool = ThreadPoolExecutor(cores)
    try:
        for pictures in pool.map(lambda chunk: _in_a_process(config, size, chunk), chunks):
            yield from pictures
    finally:
        pool.shutdown(cancel_futures=True)


def _in_a_process(config: SyntheticConfig, size: tuple[int, int], chunk: Sequence[Request]) -> list[dict[str, Any]]:
    """A plain subprocess: unlike multiprocessing's it never runs the caller's script again, which needs no guard."""
    done = subprocess.run(
        [sys.executable, "-c", "from hicmd_tf.drawn_people.encode import main; main()"],
        input=pickle.dumps((config, size, chunk)),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    if done.returncode:
        raise RuntimeError(f"A drawing process failed: {done.stderr.decode(errors='replace').strip()}")
    pictures: list[dict[str, Any]] = pickle.loads(done.stdout)
    return pictures


def main() -> None:
    """A drawing process: what to draw on standard input, pictures on standard output."""
    config, size, requests = pickle.load(sys.stdin.buffer)
    pickle.dump([encode(config, size, request) for request in requests], sys.stdout.buffer)
