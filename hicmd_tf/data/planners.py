"""Which planner the method of a configuration has; without a framework, so that too few people are refused early."""

from hicmd_tf.config.kinds import EMBEDDING
from hicmd_tf.config.schema import Config
from hicmd_tf.data.batches import BatchPlanner, Planner
from hicmd_tf.data.identity_batches import IdentityPlanner
from hicmd_tf.data.samples import Samples


def planner_of(config: Config, samples: Samples) -> Planner:
    """Plans the batches of a configuration from training pictures. Raises UserError when there are too few identities,
    or one is missing in a modality."""
    if config.method == EMBEDDING:
        return IdentityPlanner(samples, config)
    return BatchPlanner(samples, config.batch, config.data.height, config.data.width, config.seed)
