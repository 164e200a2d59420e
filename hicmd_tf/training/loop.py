"""The training loop: one for every engine, for one device, several, and several machines."""

from collections.abc import Sequence

import keras

from hicmd_tf.engines.chosen import Training
from hicmd_tf.training.experiment import Experiment
from hicmd_tf.training.failure import START_AGAIN, NotFiniteError, Report, said


def iterate(
    experiment: Experiment,
    start: int,
    stop: int,
    callbacks: Sequence[keras.callbacks.Callback],
    report: Report = lambda *_: START_AGAIN,
) -> None:
    """Iterations start .. stop - 1, or fewer when a callback of any worker sets `model.stop_training`.

    Callbacks are called as by Keras' `fit`: begin, each batch with its losses by name, end. An engine may make several
    iterations before they hear of them, but none past a step after which one looks at the model (its `looks_every`).
    Raises UserError when another worker is gone; NotFiniteError for an iteration that fails, with what `report` says.
    """
    model = experiment.model
    looks = [every for every in (getattr(callback, "looks_every", 1) for callback in callbacks) if every]
    watching = keras.callbacks.CallbackList(list(callbacks), model=model)
    model.stop_training = False
    watching.on_train_begin()
    training = Training(model, experiment.planner, experiment.data.train, start, stop)
    step = start
    try:
        while step < stop:
            until = min([stop, *(step - step % every + every for every in looks)])
            done = training.advance(until - step)
            for losses in done.losses:
                watching.on_train_batch_begin(step - start)
                watching.on_train_batch_end(step - start, losses)
                step += 1
            if done.failed is not None:
                losses, spoilt = done.failed
                raise NotFiniteError(f"step {step + 1}: {said(losses, spoilt)}; {report(step + 1, losses, spoilt)}")
            if training.anyone(model.stop_training):
                break
    finally:
        watching.on_train_end()
