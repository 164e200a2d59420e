"""Networks of a run folder, whatever its data: sizes from its configuration, classes and weights from a checkpoint."""

from pathlib import Path
from typing import NamedTuple

import tensorflow as tf
from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

from hicmd_tf.config import Config
from hicmd_tf.errors import UserError
from hicmd_tf.networks.build import Networks, build_networks
from hicmd_tf.notation import INFRARED, VISIBLE
from hicmd_tf.training.run_folder import RunFolder

CLASSIFIER = ("features", "head", "classify", "bias")  # as `Checkpoints` names what it saves


class Restored(NamedTuple):
    """config: of the run. networks: with the newest checkpoint's weights. step: iterations behind them."""

    config: Config
    networks: Networks
    step: int


def restored_networks(folder: RunFolder) -> Restored:
    """The networks of a run's newest checkpoint, without optimisers. Raises UserError when there is none or damaged."""
    config = folder.open()
    newest = newest_checkpoint(folder)
    networks = build_networks(config.networks, saved_classes(newest), restored=True)
    checkpoint = tf.train.Checkpoint(
        generator=networks.generator,
        visible_discriminator=networks.discriminators[VISIBLE],
        infrared_discriminator=networks.discriminators[INFRARED],
        features=networks.features,
    )
    try:
        checkpoint.restore(newest).expect_partial().assert_existing_objects_matched()
    except (tf.errors.OpError, AssertionError, ValueError) as error:
        raise damaged(newest, error) from error
    return Restored(config, networks, int(newest.rpartition("-")[2]))


def newest_checkpoint(folder: RunFolder) -> str:
    """Name of a run's newest checkpoint. Raises UserError when it has none."""
    newest = tf.train.latest_checkpoint(str(folder.checkpoints))
    if newest is None:
        raise UserError(
            f"{folder.path} has no checkpoint yet: train it with python -m hicmd_tf.fit --run {folder.path}"
        )
    return str(newest)


def saved_classes(checkpoint: str) -> int:
    """How many training identities a checkpoint's classifier knows. Raises UserError when it can't be read."""
    try:
        reader = tf.train.load_checkpoint(checkpoint)
        graph = TrackableObjectGraph.FromString(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
        node = graph.nodes[0]
        for name in CLASSIFIER:
            node = graph.nodes[{child.local_name: child.node_id for child in node.children}[name]]
        return int(reader.get_variable_to_shape_map()[node.attributes[0].checkpoint_key][0])
    except (tf.errors.OpError, RuntimeError, ValueError, LookupError) as error:
        raise damaged(checkpoint, error) from error


def damaged(checkpoint: str, error: Exception) -> UserError:
    """What to say of a checkpoint that can't be read into the networks of its configuration."""
    reason = " ".join(str(error).split())[:200]
    return UserError(
        f"{checkpoint}: the checkpoint is damaged or of other networks ({reason}); take its name out of "
        f"{Path(checkpoint).with_name('checkpoint')} to use the one before"
    )
