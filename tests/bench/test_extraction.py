"""What the benches of extractions plan and see."""

import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from bench.extraction import below, kind_of, peaks_of
from bench.extraction_kills import KINDS, LONGEST, planned


@given(st.integers(3, 40), st.integers(0, 9))
def test_everybody_is_killed_about_as_often(kills: int, seed: int) -> None:
    plan = planned(kills, seed)
    counts = [sum(kind == one for kind, _ in plan) for one in KINDS]
    assert len(plan) == sum(counts) == kills and max(counts) - min(counts) <= 1
    assert all(0 <= delay <= LONGEST for _, delay in plan) and plan == planned(kills, seed)


def test_a_process_is_seen_with_those_below_it() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        process.stdout.readline()
        found = below(process.pid)
        assert len(found) == 2 and {process.pid, *found} <= {*below(os.getpid())}
        assert kind_of(found[1]).startswith("python")
        peaks = dict(peaks_of(process.pid))
        assert "hicmd" in peaks and len(peaks) == 2 and all(0 < peak < 1 for peak in peaks.values())
        process.stdin.close()
