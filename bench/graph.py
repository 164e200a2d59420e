"""`python -m bench.graph`: how large the program of an iteration is that JAX's engine hands to XLA, and what it takes.

Compilation grows with the number of operations, and on an accelerator an iteration's time too: most of its kernels are
small. Counted are StableHLO's operations of a configuration's iteration, lowered for CUDA, which takes no GPU: by part
of the schedule and by kind, as they stand in the program, and with functions counted as often as they are called.
Timed are: imports, building the networks, making the optimisers, tracing and lowering; nothing is compiled.
"""

import os
import re
import time
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

os.environ["KERAS_BACKEND"] = "jax"  # before anything imports Keras

from bench.measuring import keep, refuse_embedding
from bench.operations import SIZES, Seconds, equations, tflop, timed_model
from hicmd_tf.arguments import Parser, writable
from hicmd_tf.config.command_line import parse
from hicmd_tf.config.schema import Config
from hicmd_tf.errors import run_command
from hicmd_tf.tables import as_text

PARTS = {  # by the function of `method.schedule` that is differentiated, as the engine names its operations
    "draw": "A draw",
    "discrimination": "D judge",
    "generation": "B generate",
    "identification": "C identify",
    "learning": "B and C learn",
    "optimiser": "optimisers",
}
REST = "the rest"
READS = (*SIZES, "training.precision")
SHARED = "functions of several parts"
KINDS = 20  # that are named
INSIDE = {f"stablehlo.{name}" for name in ("reduce", "reduce_window", "scatter", "select_and_scatter", "sort")}
"""What these do with two numbers is not an operation of its own."""

Figures = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Counts and times, prints tables, and writes the figures as JSON when asked."""

    def extra(parser: Parser) -> None:
        parser.add_argument("--apart", action="store_true", help="as on a CPU: many small operations, lowered for CPUs")
        parser.add_argument("--json", type=writable, metavar="FILE", help="write the figures there")

    config, options = parse("python -m bench.graph", __doc__ or "", arguments, extra, reads=READS)
    refuse_embedding(config.method)
    figures = measured(config, joined=not options.apart)
    print(tables(figures))
    keep(options.json, figures)


def measured(config: Config, joined: bool) -> Figures:
    """The iteration's operations and the seconds until it is lowered. joined: as on an accelerator."""
    model, seconds = timed_model(config, joined)
    begin = time.perf_counter()
    traced = _traced(model, config)
    then = time.perf_counter()
    lowered = traced.lower(lowering_platforms=("cuda" if joined else "cpu",))
    seconds |= {"trace": then - begin, "lower": time.perf_counter() - then}
    counts = counted(lowered.compiler_ir("stablehlo"))
    return {
        "operations": sum(counts.in_text.values()),
        "called": sum(counts.called.values()),
        "equations": sum(1 for _ in equations(traced.jaxpr.jaxpr)),
        "tflop": tflop(traced.jaxpr.jaxpr),
        "parts": _by(counts, 0),
        "kinds": _by(counts, 1),
        "seconds": seconds,
    }


def _traced(model: Any, config: Config) -> Any:
    """The model's iteration, traced for a batch of the configuration's sizes."""
    import jax

    def like(shape: tuple[int, ...], kind: str) -> Any:
        return jax.ShapeDtypeStruct(shape, kind)

    batch, height, width = config.batch, config.data.height, config.data.width
    real = {"visible": batch.pairs, "infrared": batch.pairs}
    real |= {f"{m}_negatives": batch.negatives for m in ("visible", "infrared")}
    shown = {**real, **{f"generated_{m}": batch.pairs for m in ("visible", "infrared")}}
    given = {
        **{name: like((count, height, width, 3), "float32") for name, count in real.items()},
        "identities": like((batch.pairs,), "int32"),
        **{f"{m}_negative_identities": like((batch.negatives,), "int32") for m in ("visible", "infrared")},
        "erasing": {name: like((count, 4), "int32") for name, count in shown.items()},
    }
    if batch.pad:
        given["shifts"] = {name: like((count, 2), "int32") for name, count in real.items()}
    state = jax.eval_shape(model._pack, [like(value.shape, value.dtype) for value in model.values()])
    rates = jax.tree.map(lambda rate: like(rate.shape, rate.dtype), model.rates(0))
    return jax.jit(model.iterate).trace(*state, given, rates, model.numbers.values())


# ------------------------------------------------------------------------------------------------------------ counting


class Counts(NamedTuple):
    """How many operations there are of each part and kind: in the program's text, and as often as they are called."""

    in_text: Counter[tuple[str, str]]
    called: Counter[tuple[str, str]]


class _Function(NamedTuple):
    """own: operations by part and kind. calls: of other functions, by part and name. REST: no part is named."""

    own: Counter[tuple[str, str]]
    calls: Counter[tuple[str, str]]


def counted(module: Any) -> Counts:
    """The operations of a StableHLO module. Those of a function belong to the part that calls it."""
    functions = {one.sym_name.value: _function(one) for one in module.body.operations}

    @cache
    def called(name: str) -> Counter[tuple[str, str]]:
        """The operations of one call."""
        found = Counter(functions[name].own)
        for (part, other), times in functions[name].calls.items():
            for (inner, kind), count in called(other).items():
                found[inner if part == REST else part, kind] += times * count
        return found

    parts_of: dict[str, set[str]] = {}

    def visit(name: str, part: str) -> None:
        if part in parts_of.setdefault(name, set()):
            return
        parts_of[name].add(part)
        for own, other in functions[name].calls:
            visit(other, part if own == REST else own)

    visit("main", REST)
    in_text: Counter[tuple[str, str]] = Counter()
    for name, parts in parts_of.items():
        of_function = next(iter(parts)) if len(parts) == 1 else SHARED
        for (part, kind), count in functions[name].own.items():
            in_text[of_function if part == REST else part, kind] += count
    return Counts(in_text, called("main"))


def _function(function: Any) -> _Function:
    found = _Function(Counter(), Counter())

    def walk(operation: Any) -> None:
        for region in operation.regions:
            for block in region.blocks:
                for one in block.operations:
                    kind, part = one.operation.name, _part(one)
                    if kind == "func.call":
                        found.calls[part, one.attributes["callee"].value] += 1
                    elif kind.startswith("stablehlo.") and kind != "stablehlo.return":
                        found.own[part, kind.removeprefix("stablehlo.")] += 1
                    if kind not in INSIDE:
                        walk(one.operation)

    walk(function.operation)
    return found


def _part(operation: Any) -> str:
    """By the scopes that its location begins with, the outermost first."""
    scopes = re.match(r'loc\("([^"]*)"', str(operation.location))
    words = re.findall(r"\w+", scopes[1]) if scopes else []
    return next((PARTS[word] for word in words if word in PARTS), REST)


def _by(counts: Counts, axis: int) -> dict[str, dict[str, int]]:
    """Both numbers by part (0) or kind (1), the largest first."""
    sums: tuple[Counter[str], Counter[str]] = Counter(), Counter()
    for total, of in zip(sums, counts, strict=True):
        for key, count in of.items():
            total[key[axis]] += count
    names = sorted({*sums[0], *sums[1]}, key=lambda name: -sums[1][name])
    return {name: {"operations": sums[0][name], "called": sums[1][name]} for name in names}


# -------------------------------------------------------------------------------------------------------------- tables


def tables(figures: Figures) -> str:
    """The figures as text."""
    return "\n\n".join(
        [
            _table("part", figures["parts"], figures),
            _table("kind", dict(list(figures["kinds"].items())[:KINDS]), figures),
            f"{figures['equations']} equations of JAX; {figures['tflop']:.4g} TFLOP of convolutions and products",
            _seconds(figures["seconds"]),
        ]
    )


def _table(head: str, of: dict[str, dict[str, int]], figures: Figures) -> str:
    rows: list[list[object]] = [[head, "operations", "as called"]]
    rows += [[name, count["operations"], count["called"]] for name, count in of.items()]
    return as_text([*rows, ["all", figures["operations"], figures["called"]]])


def _seconds(seconds: Seconds) -> str:
    return as_text([["seconds", *seconds], ["", *(f"{value:.1f}" for value in seconds.values())]])


if __name__ == "__main__":
    run_command(main)
