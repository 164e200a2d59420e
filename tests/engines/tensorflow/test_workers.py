"""What TF_CONFIG says of the workers, devices that don't fit, and each worker's share of a batch."""

import json
import os
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hicmd_tf.config import Config, with_values
from hicmd_tf.data.batches import REAL, BatchPlanner, Share, batches, divided
from hicmd_tf.data.datasets import load
from hicmd_tf.engines import chosen
from hicmd_tf.engines.tensorflow import devices
from hicmd_tf.errors import UserError


def of_worker(monkeypatch: pytest.MonkeyPatch, cluster: dict[str, list[str]], kind: str, index: int) -> None:
    task = {"type": kind, "index": index}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}']
)
def test_a_tf_config_that_makes_no_sense_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="TF_CONFIG is"):
        chosen.cluster()


def test_the_chief_is_the_first_worker_or_of_its_own_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert chosen.cluster() == (0, 1, "") and chosen.cluster().is_chief
    of_worker(monkeypatch, {"chief": ["a:1"], "worker": ["b:1", "c:1"]}, "worker", 1)
    assert chosen.cluster() == (2, 3, "a:1") and not chosen.cluster().is_chief


def test_workers_on_this_machine_ask_each_other_without_a_proxy(
    smoke_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_worker(monkeypatch, {"worker": ["127.0.0.1:1", "10.0.0.1:3"]}, "worker", 0)
    monkeypatch.setenv("no_grpc_proxy", "example.org")
    strategy = SimpleNamespace(num_replicas_in_sync=2, scope=lambda: os.environ["no_grpc_proxy"])  # noqa: SIM112
    monkeypatch.setattr(devices.tf.distribute, "MultiWorkerMirroredStrategy", lambda: strategy)
    exceptions = set(devices.devices(with_values(smoke_config, {"batch.norm_groups": 2})).split(","))
    assert {"example.org", "127.0.0.1", "localhost"} < exceptions and "10.0.0.1" not in exceptions


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "too few": (
        {"training.devices": 2, "batch.norm_groups": 2},
        r"training\.devices is 2: this machine has 1; choose so many or fewer",
    ),
    "groups": ({}, r"batch\.norm_groups is 1: 2 devices .* take a multiple of 2"),
    "memory": (
        {"training.devices": 2, "batch.norm_groups": 2, "training.memory": "low"},
        r"training\.memory is low: that goes with one device",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_devices_that_do_not_fit_are_refused(name: str, smoke_config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, says = REFUSED[name]
    if name == "too few":
        monkeypatch.setattr(devices.tf.config, "list_logical_devices", lambda kind: [SimpleNamespace(name=kind)])
    elif name == "groups":
        of_worker(monkeypatch, {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}, "worker", 0)
    elif name == "memory":
        monkeypatch.setattr(devices, "_of_this_machine", lambda number: SimpleNamespace(num_replicas_in_sync=number))
    with pytest.raises(UserError, match=says):
        devices.devices(with_values(smoke_config, settings))


def test_shares_make_the_whole_batch(smoke_config: Config) -> None:
    samples = load(smoke_config.data).train
    planner = BatchPlanner(samples, smoke_config.batch, smoke_config.data.height, smoke_config.data.width, 3)
    whole = next(iter(batches(planner, samples, 2, 3)))
    of_workers = [next(iter(batches(planner, samples, 2, 3, Share(index, 2)))) for index in range(2)]
    for parts in (of_workers, divided(whole, 2)):
        for name in REAL:
            np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), whole[name])
        for name, boxes in whole["erasing"].items():
            np.testing.assert_array_equal(np.concatenate([part["erasing"][name] for part in parts]), boxes)
        for part in parts:
            np.testing.assert_array_equal(part["identities"], whole["identities"])
