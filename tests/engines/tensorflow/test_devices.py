"""What TensorFlow's engine does where there are GPUs: with made-up ones, for it was never run on any."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import tensorflow as tf

from hicmd_tf.config import Config, load, with_values
from hicmd_tf.engines import cards
from hicmd_tf.engines.tensorflow import devices, kernels
from hicmd_tf.engines.tensorflow.set_up import set_up
from hicmd_tf.errors import _of_the_machine

V100 = {"device_name": "Tesla V100", "compute_capability": (7, 0)}
H100 = {"device_name": "NVIDIA H100 80GB HBM3", "compute_capability": (9, 0)}
B200 = {"device_name": "NVIDIA B200", "compute_capability": (10, 0)}
UNKNOWN: dict[str, Any] = {}
CONFIG = load("tiny", {"training.deterministic": False})


class Listed(NamedTuple):
    """A device as TensorFlow lists it."""

    name: str
    details: dict[str, Any]


Fake = Callable[..., None]


@pytest.fixture
def listing(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """A function that makes TensorFlow list GPUs with these details."""
    monkeypatch.setattr(cards, "installed", lambda: [])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: device.details)

    def list_them(*details: dict[str, Any]) -> None:
        found = [Listed(f"/physical_device:GPU:{number}", one) for number, one in enumerate(details)]
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: found if kind == "GPU" else [])

    return list_them


def said(config: Config = CONFIG) -> tuple[str, list[str]]:
    """The device's words, and the lines about it."""
    return devices.device_in_use(config), list(devices.drawbacks(config))


def test_the_devices_in_use_are_named(listing: Fake) -> None:
    listing(H100, H100)
    assert said() == ("NVIDIA H100 80GB HBM3 (TensorFlow)", [])
    assert said(with_values(CONFIG, {"training.devices": 0})) == ("2 x NVIDIA H100 80GB HBM3 (TensorFlow)", [])
    listing(UNKNOWN)
    assert said() == ("/physical_device:GPU:0 (TensorFlow)", [])


def test_a_card_that_tensorflow_does_not_list_is_named_with_what_to_install(
    listing: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing()
    words, lines = said()
    assert words.startswith("the CPU, ") and lines == []
    monkeypatch.setattr(cards, "installed", lambda: ["NVIDIA B200"])
    words, (line,) = said()
    assert "can't use NVIDIA B200" in line and "hicmd-tf[cuda]" in line and "--engine jax" in line
    assert words.startswith("the CPU, ")
    listing(H100)
    assert said()[1] == []


def test_cards_without_kernels_or_bfloat16_are_warned_of_once(listing: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = with_values(CONFIG, {"training.precision": "mixed_bfloat16", "training.devices": 0})
    listing(V100, V100, H100, UNKNOWN)
    assert said(mixed)[1] == [
        "Tesla V100 (compute capability 7.0) does not compute bfloat16, TensorFlow converts it: training.precision "
        "float32 is faster"
    ]
    listing(B200)
    (line,) = said(mixed)[1]
    assert line.startswith("TensorFlow's packages have no kernels for NVIDIA B200 (compute capability 10.0)")
    listing()
    for has, lines in ((True, 0), (False, 1)):
        monkeypatch.setattr(cards, "processor_has_bfloat16", lambda has=has: has)
        assert len(said(mixed)[1]) == lines and said()[1] == []


def test_provenance_says_what_float32_means(listing: Fake) -> None:
    listing(H100, H100)
    found = devices.hardware(with_values(CONFIG, {"training.devices": 0}))
    assert found["gpus"] == [H100["device_name"]] and found["devices"] == 2
    assert found["float32"].startswith("TF32")
    exact = devices.hardware(with_values(CONFIG, {"training.tf32": False}))["float32"]
    assert "TF32" not in exact
    for details in ([V100], [UNKNOWN], []):
        listing(*details)
        assert devices.hardware(CONFIG)["float32"] == exact


@pytest.fixture
def tf32() -> Iterator[None]:
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    yield
    tf.config.experimental.enable_tensor_float_32_execution(before)


def test_every_gpu_s_memory_grows_and_tf32_is_as_set(
    listing: Fake, tf32: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = []

    def grow(device: Listed, enable: bool) -> None:
        grown.append((device.name[-1], enable))
        raise RuntimeError("Physical devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", grow)
    listing(V100, H100)
    for wanted in (False, True):
        set_up(with_values(CONFIG, {"training.tf32": wanted}))
        assert tf.config.experimental.tensor_float_32_execution_enabled() == wanted
    assert grown == [("0", True), ("1", True)] * 2


def test_a_kernel_that_is_not_deterministic_is_one_line() -> None:
    text = "A deterministic GPU implementation of ResizeNearestNeighborGrad is not currently available."
    line = _of_the_machine(tf.errors.UnimplementedError(None, None, text))
    assert line is not None and text.rstrip(".") in line and "training.deterministic false" in line
    assert _of_the_machine(tf.errors.UnimplementedError(None, None, "no such operation")) is None


def test_kernels_look_for_a_gpu_that_tensorflow_computes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for listed in ([], ["GPU:0"]):
        monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind, listed=listed: listed)
        assert kernels._on_gpu.__wrapped__() == bool(listed)


def test_the_fullest_card_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices.card_memory() is None  # a processor alone
    names = ["/device:GPU:0", "/device:GPU:1"]
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [Listed(name, {}) for name in names])
    peaks = {"GPU:0": {"peak": 3}, "GPU:1": {"peak": 5}}
    monkeypatch.setattr(tf.config.experimental, "get_memory_info", peaks.__getitem__)
    assert devices.card_memory() == 5
