"""Cost of a traced iteration by part of the method: arithmetic, counted in its graph, and time, profiled."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

# Operations carry the names of the networks they belong to, those of gradients too. The first that fits counts.
PARTS = {
    "decoder": r"decoder",
    "discriminators": r"discriminator_(visible|infrared)|(^|/)scale_\d",  # the latter: one scale on its own
    "prototype encoders": r"(visible|infrared)(_\d+)?/prototype",
    "attribute encoders": r"(visible|infrared)(_\d+)?/attribute",
    "backbone": r"(^|/)(front|visible|infrared|trunk)(_\d+)?/(stem|stage)_?\d*",  # of an embedding network
    "HFL or head": r"(^|/)(embedding|combination|head)(_\d+)?/",
    "optimisers": r"^(generator|discriminator|features)/",
}
REST = "losses and the rest"


def part_of(name: str) -> str:
    """The part of the method that an operation belongs to."""
    return next((part for part, pattern in PARTS.items() if re.search(pattern, name)), REST)


def flops_by_part(graph: Any) -> Counter[str]:
    """Floating-point operations of all convolutions and matrix products that a function's results or effects need.

    graph: of a concrete function whose shapes are known. A multiplication and an addition count as two.
    """
    found: Counter[str] = Counter()
    for operation in _needed(graph):
        if operation.type.endswith("PartitionedCall"):  # a function that is kept apart
            found += flops_by_part(graph._get_function(operation.get_attr("f").name).graph)
        count = _COUNTS.get(operation.type)
        if count is not None:
            found[part_of(operation.name)] += count(operation)
    return found


def _needed(graph: Any) -> Iterator[Any]:
    """Operations that outputs or side effects depend on; what a gradient tape made beyond them is pruned."""
    waiting = [tensor.op for tensor in graph.outputs] + list(graph.control_outputs)
    seen = set()
    while waiting:
        operation = waiting.pop()
        if operation.name in seen:
            continue
        seen.add(operation.name)
        yield operation
        waiting += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)


def _convolution(kernel: Any, output: Any) -> int:
    """2 x output pixels and filters x what a filter sees. kernel: (k, k, C, F). output: (B, H, W, F)."""
    return 2 * math.prod(output[:3]) * math.prod(kernel)


def _matrix_product(operation: Any) -> int:
    a, transposed = operation.inputs[0].shape, operation.get_attr("transpose_a")
    return 2 * math.prod(operation.outputs[0].shape) * int(a[0 if transposed else 1])


_COUNTS: dict[str, Callable[[Any], int]] = {
    "Conv2D": lambda o: _convolution(o.inputs[1].shape, o.outputs[0].shape),
    "Conv2DBackpropInput": lambda o: _convolution(o.inputs[1].shape, o.inputs[2].shape),
    "Conv2DBackpropFilter": lambda o: _convolution(o.outputs[0].shape, o.inputs[2].shape),
    "MatMul": _matrix_product,
}


class Spent(NamedTuple):
    """Seconds of operations by part of the method, and by their kind."""

    parts: Counter[str]
    kinds: Counter[str]


def time_spent(work: Callable[[], Any]) -> Spent:
    """Time of all operations of one call, as TensorFlow's profiler sees it. They overlap: read the shares."""
    import tensorflow as tf

    with TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            work()
        (file,) = Path(folder).glob("**/*.xplane.pb")
        return _read(file)


def _read(file: Path) -> Spent:
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(file.read_bytes())
    spent = Spent(Counter(), Counter())
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                if name and re.fullmatch(r"_?[A-Z]\w+", kind) and not re.search(r"^Executor|^Eager|^Kernel|:$", name):
                    seconds = event.duration_ps / 1e12
                    spent.parts[part_of(name)] += seconds
                    spent.kinds[re.sub("^_Mkl(Native)?", "", kind)] += seconds
    return spent
