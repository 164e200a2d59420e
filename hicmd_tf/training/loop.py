"""The training loop: one for one device, several, and several machines, where Keras' `fit` fails."""

from collections.abc import Sequence

import keras

from hicmd_tf.data.batches import Share, batches, divided
from hicmd_tf.engines.chosen import Workers, lost_workers
from hicmd_tf.training.experiment import Experiment


def iterate(
    experiment: Experiment, workers: Workers, start: int, stop: int, callbacks: Sequence[keras.callbacks.Callback]
) -> None:
    """Iterations start .. stop - 1, or fewer when a callback of any worker sets `model.stop_training`.

    Callbacks are called as by Keras' `fit`: begin, each batch with its losses by name, end. Raises UserError
    when another worker is gone.
    """
    model, place = experiment.model, workers.place
    share = Share(place.number, place.workers)
    watching = keras.callbacks.CallbackList(list(callbacks), model=model)
    model.stop_training = False
    watching.on_train_begin()
    shares = batches(experiment.planner, experiment.data.train, start, stop, share)
    try:
        for number, batch in enumerate(shares):
            parts = divided(batch, workers.replicas)
            watching.on_train_batch_begin(number)
            with lost_workers(place.workers):
                losses = workers.of_one(model.train_replicas(workers.spread(parts)))
                logs = {name: float(losses[name]) for name in sorted(losses)}
            watching.on_train_batch_end(number, logs)
            with lost_workers(place.workers):
                if workers.anyone(model.stop_training):
                    break
    finally:
        watching.on_train_end()
