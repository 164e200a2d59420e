"""costs.json: what a run took, in seconds of training, memory and parameters.

Training seconds are those of the iterations, the first one's building among them, without evaluations, pictures and
checkpoints. Steps that a kill lost are made again and count once.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

from hicmd_tf.errors import UserError, counted
from hicmd_tf.files import read_json, write_json

STATUS = Path("/proc/self/status")
BESIDE = "HICMD_TF_BESIDE"
"""Environment variable of a run that a command trains beside others on one machine."""


class Costs(NamedTuple):
    """What a run took so far.

    clock: (step, training seconds up to it), steps rising, at the run's begin, its evaluations and checkpoints; begins
    at a later step where an earlier version began the run. memory_bytes: resident at the peak, of the process that took
    most. card_bytes: the same of the fullest card, where one is used and says so. describing_ms: of a picture in memory
    among others of a batch; none until the run has ended. parameters: `describing`, all numbers of what describes
    pictures, and `trained`, all weights that optimisers change. beside: whether a command trained it beside others on
    one machine, at least for a part.
    """

    clock: list[tuple[int, float]]
    memory_bytes: int
    card_bytes: int | None
    describing_ms: float | None
    parameters: dict[str, int]
    beside: bool = False

    @property
    def seconds(self) -> float | None:
        """Of the whole training; none where its beginning is not known."""
        return self.clock[-1][1] if self.clock[0][0] == 0 else None

    def at(self, step: int) -> float | None:
        """Training seconds up to a step; none where nobody looked at the clock."""
        return dict(self.clock).get(step) if self.seconds is not None else None

    def words(self) -> dict[str, str]:
        """For people, by what it is."""
        (first, _), (last, seconds) = self.clock[0], self.clock[-1]
        since = f" from step {first} on" if first else ""
        beside = ", beside other runs" if self.beside else ""
        found = {
            "training": f"{seconds:.1f} s for {counted(last - first, 'step')}{since}, without evaluations, pictures "
            f"and checkpoints{beside}",
            "memory at the peak": f"{self.memory_bytes / 2**30:.2f} GiB",
        }
        if self.card_bytes is not None:
            found["card's memory at the peak"] = f"{self.card_bytes / 2**30:.2f} GiB"
        if self.describing_ms is not None:
            found["describing"] = f"{self.describing_ms:.2f} ms a picture"
        found["parameters"] = f"{self.parameters['describing']:,} describe, {self.parameters['trained']:,} train"
        return found


def read_costs(file: Path) -> Costs | None:
    """A run's costs; none where an earlier version trained it. Raises UserError when the file is damaged."""
    if not file.is_file():
        return None
    match read_json(file):
        case {
            "clock": [_, *_] as clock,
            "memory_bytes": int(memory),
            "card_bytes": int() | None as card,
            "describing_ms": float() | None as describing,
            "parameters": {"describing": int(), "trained": int()} as parameters,
            **more,
        } if all(_is_reading(one) for one in clock):
            beside = more.get("beside") is True  # which an earlier version did not say
            return Costs([(step, seconds) for step, seconds in clock], memory, card, describing, parameters, beside)
    raise UserError(f"{file} is not what training writes: take it from where it is whole, or delete it")


def _is_reading(one: Any) -> bool:
    return isinstance(one, list) and [type(part) for part in one] == [int, float]


def write_costs(file: Path, costs: Costs) -> None:
    """Writes what `read_costs` reads."""
    write_json(file, costs._asdict())


def peak_memory() -> int:
    """Bytes that this process had resident at its peak: of its own program alone, which getrusage mixes with that of
    who started it."""
    found = re.search(r"VmHWM:\s*(\d+) kB", STATUS.read_text(encoding="utf-8", errors="replace"))
    return int(found[1]) << 10 if found else 0
