"""Networks of a run folder, whatever its data: sizes from its configuration, classes and weights from a checkpoint."""

import hashlib
import os
import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import tensorflow as tf
from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

from hicmd_tf.config import Config
from hicmd_tf.errors import UserError
from hicmd_tf.files import write_text
from hicmd_tf.method.networks.build import Networks, build_networks
from hicmd_tf.notation import INFRARED, VISIBLE
from hicmd_tf.runs.folder import RunFolder

T = TypeVar("T")

INDEX = re.compile(r"ckpt-(\d+)\.index")
UNREADABLE = (tf.errors.OpError, AssertionError, ValueError, RuntimeError, LookupError)
"""What TensorFlow raises of damaged checkpoints: an IndexError of a file that is cut short, for one."""
CLASSIFIER = ("features", "head", "classify", "bias")  # as `Checkpoints` names what it saves


class Restored(NamedTuple):
    """config: of the run. networks: with the newest checkpoint's weights. step: iterations behind them."""

    config: Config
    networks: Networks
    step: int


def restored_networks(folder: RunFolder) -> Restored:
    """The networks of a run's newest checkpoint, without optimisers. Raises UserError when there is none or damaged."""
    config = folder.open()
    built: dict[int, Networks] = {}  # by classes: it takes longer than a checkpoint may be there

    def restore(newest: str) -> Restored:
        classes = saved_classes(newest)
        if classes not in built:
            built[classes] = build_networks(config.networks, classes, restored=True)
        networks = built[classes]
        checkpoint = tf.train.Checkpoint(
            generator=networks.generator,
            visible_discriminator=networks.discriminators[VISIBLE],
            infrared_discriminator=networks.discriminators[INFRARED],
            features=networks.features,
        )
        try:
            checkpoint.restore(newest).expect_partial().assert_existing_objects_matched()
        except UNREADABLE as error:
            raise damaged(newest, error) from error
        return Restored(config, networks, step_of(newest))

    restored = read_newest(folder.checkpoints, restore)
    if restored is None:
        raise _none_yet(folder)
    return restored


def newest_step(folder: RunFolder) -> int:
    """Iterations that a run goes on from, 0 without a checkpoint. Raises UserError when there are some, and none is
    whole."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # who restores one warns
        newest = newest_whole(folder.checkpoints)
    return 0 if newest is None else step_of(newest)


def step_of(checkpoint: str) -> int:
    """Iterations that a checkpoint was trained for, by its name."""
    return int(checkpoint.rpartition("-")[2])


def newest_checkpoint(folder: RunFolder) -> str:
    """Name of a run's newest whole checkpoint. Raises UserError when it has none."""
    newest = newest_whole(folder.checkpoints)
    if newest is None:
        raise _none_yet(folder)
    return newest


def newest_classes(folder: RunFolder) -> int:
    """How many training identities a run's newest checkpoint knows. Raises UserError as `restored_networks` does."""
    classes = read_newest(folder.checkpoints, saved_classes)
    if classes is None:
        raise _none_yet(folder)
    return classes


def _none_yet(folder: RunFolder) -> UserError:
    return UserError(f"{folder.path} has no checkpoint yet: train it with hicmd fit --run {folder.path}")


def read_newest(checkpoints: Path, read: Callable[[str], T]) -> T | None:
    """What `read` makes of the newest whole checkpoint, or of a newer one when a training beside deletes that one
    meanwhile; None where there is none. Raises the UserError of `read` when the checkpoint is still there."""
    while True:
        newest = newest_whole(checkpoints)
        if newest is None:
            return None
        try:
            return read(newest)
        except UserError:
            if _there(newest):
                raise


def _there(checkpoint: str) -> bool:
    """Whether a checkpoint is still there. TensorFlow deletes its index first."""
    return os.path.lexists(f"{checkpoint}.index")


def newest_whole(checkpoints: Path) -> str | None:
    """The newest checkpoint in a folder whose files are as they were written; warns of newer ones that are not.

    None where there is none, for one that a kill cut short counts as none. Raises UserError when all are damaged.
    """
    steps = [int(found[1]) for file in checkpoints.glob("ckpt-*") if (found := INDEX.fullmatch(file.name))]
    damage = None
    for step in sorted(steps, reverse=True):
        name = str(checkpoints / f"ckpt-{step}")
        if damage is not None:
            warnings.warn(f"{damage}; an older one is tried", stacklevel=2)
        finished = _finished(name)
        if not _there(name):  # a training beside deleted it, and has written a newer one
            return newest_whole(checkpoints)
        if not finished:
            warnings.warn(f"{name}: a kill cut the checkpoint short while it was written; left out", stacklevel=2)
            continue
        flaw = flaw_of(name)
        if not _there(name):
            return newest_whole(checkpoints)
        if flaw is None:
            return name
        damage = f"{name}: the checkpoint is damaged ({flaw})"
    if damage is not None:
        raise UserError(f"{damage}, and no other is whole: copy the folder from where it is")
    return None


def _finished(checkpoint: str) -> bool:
    """Whether a checkpoint was written to its end: its checksums come last, and before them its index."""
    if Path(f"{checkpoint}.sha256").is_file():
        return True
    try:
        tf.train.load_checkpoint(checkpoint)
    except UNREADABLE:
        return False
    return True


def write_sums(checkpoint: str) -> None:
    """Writes the checksums of a checkpoint's files beside them, as sha256sum -c reads them; drops what is left of
    others."""
    files = _files(checkpoint)
    write_text(Path(f"{checkpoint}.sha256"), "".join(f"{_sum(file)}  {file.name}\n" for file in files))
    drop_unfinished(Path(checkpoint).parent)


def drop_unfinished(checkpoints: Path) -> None:
    """Drops what belongs to no checkpoint: checksums and notes of deleted ones, what TensorFlow began to write."""
    for ending in ("sha256", "json"):
        for beside in checkpoints.glob(f"ckpt-*.{ending}"):
            if not beside.with_suffix(".index").exists():
                beside.unlink()
    for begun in checkpoints.glob("ckpt-*_temp"):
        shutil.rmtree(begun, ignore_errors=True)


def notes_of(checkpoint: str) -> Path:
    """The file beside a checkpoint that says what the callbacks must know to go on."""
    return Path(f"{checkpoint}.json")


def flaw_of(checkpoint: str) -> str | None:
    """What is wrong with a checkpoint's files, by their checksums; None where nothing is, or they were not written."""
    sums = Path(f"{checkpoint}.sha256")
    try:
        lines = sums.read_text(errors="replace").splitlines() if sums.is_file() else []
    except FileNotFoundError:  # a training beside deleted it just now
        lines = []
    present = {file.name for file in _files(checkpoint)}
    for line in lines:
        digest, _, name = line.partition("  ")
        try:
            if name not in present:
                return f"{name} is missing"
            if _sum(sums.with_name(name)) != digest:
                return f"{name} is not what was written"
        except FileNotFoundError:
            return f"{name} is missing"
    return None


def _files(checkpoint: str) -> list[Path]:
    path = Path(checkpoint)
    found = (file for ending in ("index", "data-*", "json") for file in path.parent.glob(f"{path.name}.{ending}"))
    return sorted(file for file in found if file.is_file())  # a pipe or device would be read for ever


def _sum(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def saved_classes(checkpoint: str) -> int:
    """How many training identities a checkpoint's classifier knows. Raises UserError when it can't be read."""
    try:
        reader = tf.train.load_checkpoint(checkpoint)
        graph = TrackableObjectGraph.FromString(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
        node = graph.nodes[0]
        for name in CLASSIFIER:
            node = graph.nodes[{child.local_name: child.node_id for child in node.children}[name]]
        return int(reader.get_variable_to_shape_map()[node.attributes[0].checkpoint_key][0])
    except UNREADABLE as error:
        raise damaged(checkpoint, error) from error


def damaged(checkpoint: str, error: Exception) -> UserError:
    """What to say of a checkpoint that can't be read into the networks of its configuration."""
    reason = " ".join(str(error).split())[:200]
    return UserError(
        f"{checkpoint}: the checkpoint is damaged or of other networks ({reason}); copy it again from where it is "
        f"whole, or, when no training goes on there, move its files elsewhere to use the one before"
    )
