"""The machine's cards and processor as its system names them, whether an engine can use them or not."""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/gpus")
PROCESSOR = Path("/proc/cpuinfo")
HIDING = "CUDA_VISIBLE_DEVICES"
BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}
"""Flags of processors that compute it; the last is Arm's."""
PATIENCE = 10  # seconds for nvidia-smi


def installed() -> list[str]:
    """Names of the NVIDIA cards that the driver sees; none where the user hides them all from CUDA."""
    if os.environ.get(HIDING, "0") in ("", "-1"):
        return []
    about = [file.read_text(errors="replace") for file in sorted(DRIVER.glob("*/information"))]
    found = [line.partition(":")[2].strip() for text in about for line in text.splitlines() if "Model:" in line]
    return found or _by_nvidia_smi()  # under WSL 2 the driver has no folder


def _by_nvidia_smi() -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError):  # there is no driver
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def in_words(cards: Iterable[str]) -> str:
    """What computes: the cards, or without any the processor."""
    counted = [f"{count} x {name}" if count > 1 else name for name, count in Counter(cards).items()]
    cores = len(os.sched_getaffinity(0))
    return ", ".join(counted) or f"the CPU, {cores} core{'s' if cores > 1 else ''}"


def processor_has_bfloat16() -> bool:
    """Whether the processor computes bfloat16 itself; also where the system does not say what it can."""
    lines = PROCESSOR.read_text(encoding="utf-8", errors="replace").splitlines()
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), None)
    return flags is None or bool(BFLOAT16.intersection(flags.split()))
