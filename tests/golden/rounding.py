"""How much rounding moves the released networks, printed: python tests/golden/rounding.py [inference | steps]

Needs ../shared/golden. A minute; `steps` fifteen minutes and 8 GiB.

inference: each output's distance from the same in float64, computed in float32, in float32 with convolutions that are
rounded once, and in float64 from float32's codes or from input that is moved by less than float32's last bit.
steps: losses of three iterations, and statistics of batch norm after the last, against float64's.
"""

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parents[1])]

from conftest import SIZE, Reference  # noqa: E402
from golden_run import (  # noqa: E402
    CROSS,
    LETTERS,
    Arrays,
    batch,
    exact_convolutions,
    inference,
    model_with,
    networks_with,
    precision,
    released_config,
    steps,
    worst,
)
from test_golden_training import CLASSES, IDENTITIES  # noqa: E402

from hicmd_tf.convert.keys import Place  # noqa: E402
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, other  # noqa: E402

HALF_BIT = 2.0**-24  # what rounding to float32 changes at most, relative
SHOWN = ("attr_a", "attr_b", "x_ba", "x_ab", "attr_a_recon", "attr_b_recon", "f1", "descriptor")
MODES = ("inference", "steps")
RANDOM = np.random.default_rng(0)


def moved(values: Any) -> Any:
    """Every number by another share of itself, less than float32's last bit."""
    return values * (1 + HALF_BIT * RANDOM.uniform(-1, 1, values.shape))


def moved_least(values: Any) -> Any:
    """Every number up or down to the next there is."""
    return np.nextafter(values, np.where(RANDOM.random(values.shape) < 0.5, np.inf, -np.inf))


def move(variables: list[Any], change: Callable[[Any], Any] = moved) -> None:
    """Every weight, changed."""
    for variable in variables:
        variable.assign(change(variable.numpy()))


def show_inference(reference: Reference) -> None:
    """A line for each way to compute the outputs."""
    pictures = {VISIBLE: reference.pictures("x_a"), INFRARED: reference.pictures("x_b")}

    def networks() -> Any:
        return networks_with(released_config(*SIZE), CLASSES, reference.weights())

    with precision("float32"):
        single = networks()
        single_results = inference(single, pictures)
        with exact_convolutions():
            exact_results = inference(single, pictures)
    with precision("float64"):
        double = networks()
        golden = inference(double, pictures)
        from_codes = _from_codes(double, golden, single_results)
        from_pictures = inference(double, {modality: moved(picture) for modality, picture in pictures.items()})
        move([*double.generator.variables, *double.features.variables])
        from_weights = inference(double, pictures)
    for name, results in (
        ("float32", single_results),
        ("float32, convolutions rounded once", exact_results),
        ("float64 behind float32's attribute codes", from_codes),
        ("float64, pictures moved", from_pictures),
        ("float64, weights moved", from_weights),
    ):
        shown = (f"{array} {worst(results[array], golden[array]):.1e}" for array in SHOWN if array in results)
        print(f"{name}: {', '.join(shown)}")


def _from_codes(networks: Any, golden: Arrays, single: Arrays) -> Arrays:
    """Swapped pictures and their codes, all in float64 but the attribute codes of the real pictures."""
    generator, results = networks.generator, {}
    codes = {m: np.asarray(single[f"attr_{LETTERS[m]}"], np.float64) for m in MODALITIES}
    for m in MODALITIES:
        prototype = golden[f"proto_{LETTERS[other(m)]}"].transpose(0, 2, 3, 1)
        fake = generator.decoder((prototype, networks.layout.swap_style(style=codes[other(m)], excluded=codes[m])))
        results[f"x_{CROSS[m]}"] = np.asarray(fake).transpose(0, 3, 1, 2)
        results[f"attr_{LETTERS[m]}_recon"] = np.asarray(generator.encoders(m).attribute(fake))
    return results


def show_steps(reference: Reference) -> None:
    """A line for each iteration in float32, and in float64 with moved weights."""
    golden = _alone(reference, "float64")
    statistics = {str(place) for place in _statistics(reference)}
    for name, results in (
        ("float32", _alone(reference, "float32")),
        ("float64, weights moved by float32's last bit", _alone(reference, "float64", moved)),
        ("float64, weights moved by float64's last bit", _alone(reference, "float64", moved_least)),
    ):
        for number, (ours, theirs) in enumerate(zip(results, golden, strict=True), start=1):
            errors = {key: worst(ours[key], theirs[key]) for key in theirs}
            of_losses, of_statistics = (
                max((error, key) for key, error in errors.items() if (key in statistics) == kind)
                for kind in (False, True)
            )
            print(f"{name}, step {number}: {of_losses[1]} {of_losses[0]:.1e}, ", end="")
            print(f"{of_statistics[1]} {of_statistics[0]:.1e}", flush=True)


def _alone(reference: Reference, floatx: str, change: Callable[[Any], Any] | None = None) -> list[dict[str, Any]]:
    """`_iterations` in a process of its own, which gives all its memory back."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_iterations, reference.folder.parent, floatx, change).result()


def _iterations(shared: Path, floatx: str, change: Callable[[Any], Any] | None) -> list[dict[str, Any]]:
    reference = Reference(shared)
    with precision(floatx):
        config = released_config(*SIZE)
        model = model_with(networks_with(config, CLASSES, reference.weights()), config)
        if change is not None:
            move(model.trainable_variables, change)
        return steps(model, batch(reference.pictures, IDENTITIES), _statistics(reference))


def _statistics(reference: Reference) -> set[Place]:
    names = {name.split("/", 1)[1] for name in reference.arrays("train") if name.startswith("step3_bn/")}
    return {Place(*name.split("/", 2)) for name in names}


def main(mode: str = "inference") -> None:
    """Prints one of the two."""
    if mode not in MODES:
        sys.exit(f"usage: python {sys.argv[0]} [{' | '.join(MODES)}]")
    shared = FOLDER.parents[2] / "shared"
    if not (shared / "golden").is_dir():
        sys.exit(f"error: there is no {shared / 'golden'}")
    {"inference": show_inference, "steps": show_steps}[mode](Reference(shared))


if __name__ == "__main__":
    main(*sys.argv[1:2])
