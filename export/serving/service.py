"""What both protocols ask: one model, its limits, and the batcher in front of it."""

from concurrent.futures import Future
from typing import Any

import numpy as np

from hicmd_tf.export.serving.batching import Batcher
from hicmd_tf.export.serving.failures import Failure, Kind
from hicmd_tf.export.serving.limits import Limits
from hicmd_tf.export.serving.servable import Servable

Arrays = dict[str, np.ndarray[Any, Any]]


class Service:
    """servable: the model. limits: of one request. batcher: answers requests together."""

    def __init__(self, servable: Servable, limits: Limits, batcher: Batcher) -> None:
        self.servable, self.limits, self.batcher = servable, limits, batcher

    def find(self, name: str, version: str | int | None = None) -> None:
        """Raises Failure when a request means another model or version."""
        known = self.servable
        if name != known.name:
            raise Failure(Kind.NOT_FOUND, f"there is no model {name!r} here, only {known.name!r}")
        if version is not None and str(version) != str(known.version):
            raise Failure(Kind.NOT_FOUND, f"there is no version {version} of {name!r} here, only {known.version}")

    def submit(self, signature: str, inputs: Arrays, seconds: float) -> "Future[Arrays]":
        """The outputs of checked inputs, later. Raises Failure."""
        self.servable.check(signature, inputs)
        return self.batcher.submit(signature, self.limits.checked(inputs), self.servable.batchable(signature), seconds)

    def counts(self) -> dict[str, int]:
        """Requests answered, and batches they were answered in."""
        return {"requests": self.batcher.requests, "batches": self.batcher.batches}
