"""Iterations of TensorFlow's model, one at a time."""

import math

from hicmd_tf.data.batches import Planner, Share, batches, divided
from hicmd_tf.data.samples import Samples
from hicmd_tf.engines.base import Advanced, Failed
from hicmd_tf.engines.tensorflow.devices import Workers, reporting_lost_workers
from hicmd_tf.engines.tensorflow.last_good import LastGood
from hicmd_tf.engines.tensorflow.learner import Learner
from hicmd_tf.errors import notice


class Training:
    """See `engines.base.Training`."""

    def __init__(self, model: Learner, planner: Planner, samples: Samples, start: int, stop: int) -> None:
        self._model, self._workers, self._good = model, Workers(model), LastGood(model)
        self.anyone = self._workers.anyone
        place = self._workers.place
        self._batches = batches(planner, samples, start, stop, Share(place.number, place.workers))
        self._told = False

    def advance(self, most: int) -> Advanced:
        if not self._told:
            notice("building the graph of the iteration, which takes a minute or so")
            self._told = True
        shares = divided(next(self._batches), self._workers.replicas)
        with reporting_lost_workers(self._workers.place.workers):
            found = self._workers.of_one(self._model.train_replicas(self._workers.spread(shares)))
            losses = {name: float(found[name]) for name in sorted(found)}
        spoilt = self._good.spoilt()
        if spoilt or not all(map(math.isfinite, losses.values())):
            self._good.restore()
            return Advanced([], Failed(losses, spoilt))
        self._good.keep()
        return Advanced([losses])
