"""Checkpoints: weights, running statistics, the three optimisers, dropout's state, so that a run resumes exactly."""

import errno
import os
from pathlib import Path
from typing import Any

import tensorflow as tf

from hicmd_tf.engines.tensorflow.hicmd import HiCMD
from hicmd_tf.errors import UserError
from hicmd_tf.files import read_json, write_json
from hicmd_tf.runs.restore import (
    UNREADABLE,
    damaged,
    drop_unfinished,
    notes_of,
    read_newest,
    saved_classes,
    write_sums,
)


class Checkpoints:
    """The newest `keep` checkpoints of a model in a folder, which TensorFlow writes and then renames; with
    checksums."""

    def __init__(self, model: HiCMD, folder: Path, keep: int = 2) -> None:
        self.model = model
        self.folder = folder
        # Keras' random states are variables, but not of a kind that TensorFlow finds by itself.
        randomness = [variable.value for variable in model.variables if "seed_generator" in variable.path]
        self.checkpoint = tf.train.Checkpoint(
            generator=model.generator,
            visible_discriminator=model.visible_discriminator,
            infrared_discriminator=model.infrared_discriminator,
            features=model.features,
            generator_optimiser=model.optimizer,
            discriminator_optimiser=model.discriminator_optimiser,
            feature_optimiser=model.feature_optimiser,
            randomness=randomness,
        )
        self._newest: str | None = None  # that holds what the model holds, or held
        self.manager = tf.train.CheckpointManager(self.checkpoint, str(folder), max_to_keep=keep)

    @property
    def step(self) -> int:
        """Iterations that the model has been trained for."""
        return self.model.step

    def save(self, notes: dict[str, Any] | None = None) -> None:
        """Writes a checkpoint unless this step's is there already. notes: further things to go on with, as JSON.

        Raises UserError when the disk refuses.
        """
        if self._newest is not None and self._newest.endswith(f"-{self.step}"):
            return
        # Checksums of an older attempt at this step would call the new files damaged until they are written.
        Path(f"{self.folder}/ckpt-{self.step}.sha256").unlink(missing_ok=True)
        write_json(notes_of(f"{self.folder}/ckpt-{self.step}"), notes or {})
        try:
            self._newest = str(self.manager.save(checkpoint_number=self.step))
            write_sums(self._newest)
        except (tf.errors.OpError, OSError) as error:
            drop_unfinished(self.folder)
            raise UserError(
                f"{self.folder}: the checkpoint can't be written ({_reason(error)}); free space, then --resume"
            ) from error

    def notes(self) -> dict[str, Any]:
        """What was noted with the checkpoint that was restored; nothing where it has no notes, or there is none."""
        file = None if self._newest is None else notes_of(self._newest)
        return read_json(file) if file is not None and file.is_file() else {}

    def restore(self) -> bool:
        """Restores the newest whole checkpoint, if there is one; says whether. Raises UserError when all are damaged,
        or it knows another number of identities."""
        self._newest = read_newest(self.folder, self._read)
        return self._newest is not None

    def _read(self, newest: str) -> str:
        there, here = saved_classes(newest), self.model.features.head.sizes["classes"]
        if there != here:
            raise UserError(
                f"{newest} was trained on {there} identities, the configured data has {here}: go on with the data it "
                f"was trained on, or evaluate it with hicmd evaluate, which takes any"
            )
        try:
            self.checkpoint.restore(newest).assert_consumed()
        except UNREADABLE as error:
            raise damaged(newest, error) from error
        return newest


def _reason(error: Exception) -> str:
    if isinstance(error, tf.errors.ResourceExhaustedError):  # whose message names the file, and hides the reason
        return os.strerror(errno.ENOSPC)
    return " ".join(str(error).split())[:200]
