"""Many pictures at once: on all cores, in order, as PNG."""

import dataclasses
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

import hicmd_tf
from hicmd_tf.config.schema import SyntheticConfig
from hicmd_tf.drawn_people.render import Picture, draw_picture
from hicmd_tf.drawn_people.shading import Spectrum
from hicmd_tf.notation import MODALITIES, Modality

Request = tuple[int, Modality, int]
"""Identity, modality, index."""

WORTH_A_PROCESS = 200
"""Pictures below which starting another process does not pay."""
LARGEST_CHUNK = 600


@dataclass(frozen=True)
class EncodedPicture:
    """A picture as PNG, its name such as 0123/visible/07, and its factors (see `Picture`)."""

    png: bytes
    name: str
    identity: int
    modality: Modality
    camera: int
    spectrum: Spectrum
    yaw: float
    gait_phase: float
    illumination: float


def all_requests(config: SyntheticConfig) -> list[Request]:
    """Every picture of the data set, by identity, modality, index."""
    indices = range(config.images_per_modality)
    return [(i, modality, index) for i in range(config.identities) for modality in MODALITIES for index in indices]


def encode(config: SyntheticConfig, size: tuple[int, int], request: Request) -> EncodedPicture:
    """Draws and compresses one picture; size: (height, width) in pixels."""
    identity, modality, index = request
    picture: Picture = draw_picture(config, size, identity, modality, index)
    file = io.BytesIO()
    Image.fromarray(picture.pixels).save(file, "PNG", compress_level=1)
    factors = (picture.camera, picture.spectrum, picture.yaw, picture.gait_phase, picture.illumination)
    return EncodedPicture(file.getvalue(), f"{identity:04d}/{modality}/{index:02d}", identity, modality, *factors)


def encode_all(config: SyntheticConfig, size: tuple[int, int], requests: list[Request]) -> Iterator[EncodedPicture]:
    """The requested pictures in order, drawn by as many processes as there are cores if they are many."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
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


def _in_a_process(config: SyntheticConfig, size: tuple[int, int], chunk: list[Request]) -> list[EncodedPicture]:
    """A plain subprocess: unlike multiprocessing's it never runs the caller's script again, which needs no guard."""
    paths = [str(Path(hicmd_tf.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-m", "hicmd_tf.drawn_people.encode"],
        input=json.dumps({"config": dataclasses.asdict(config), "size": size, "requests": chunk}).encode(),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    if done.returncode:
        raise RuntimeError(f"A drawing process failed: {done.stderr.decode(errors='replace').strip()}")
    return unpacked(done.stdout)


def packed(pictures: list[EncodedPicture]) -> bytes:
    """Pictures as bytes: a line of JSON with all that is known of them and the lengths of their files, then the files.
    Reading it runs no code, as unpickling would, and JSON keeps every bit of a float."""
    head = [{**vars(picture), "png": len(picture.png)} for picture in pictures]
    return b"".join([json.dumps(head).encode(), b"\n", *(picture.png for picture in pictures)])


def unpacked(content: bytes) -> list[EncodedPicture]:
    """The pictures that `packed` made bytes of."""
    start = content.index(b"\n") + 1
    pictures = []
    for known in json.loads(content[:start]):
        end = start + known["png"]
        pictures.append(EncodedPicture(**{**known, "png": content[start:end]}))
        start = end
    return pictures


def main() -> None:
    """A drawing process: a JSON order on standard input, pictures as `packed` on standard output."""
    order = json.load(sys.stdin)
    config, size = SyntheticConfig(**order["config"]), tuple(order["size"])
    sys.stdout.buffer.write(packed([encode(config, size, tuple(request)) for request in order["requests"]]))


if __name__ == "__main__":
    main()
