"""Cards and processor by what the system says of them."""

import os
from pathlib import Path

import pytest

from hicmd_tf.engines import cards

INFORMATION = "Model: \t\t {}\nIRQ:   \t\t 41\nGPU UUID: \t GPU-1\n"


@pytest.fixture(autouse=True)
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without cards, whatever this one has."""
    monkeypatch.setattr(cards, "DRIVER", tmp_path / "gpus")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(cards.HIDING, raising=False)


def test_cards_are_those_of_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cards.installed() == []
    for number, name in enumerate(("NVIDIA H100 80GB HBM3", "Tesla T4")):
        (cards.DRIVER / f"0000:0{number}:00.0").mkdir(parents=True)
        (cards.DRIVER / f"0000:0{number}:00.0" / "information").write_text(INFORMATION.format(name))
    assert cards.installed() == ["NVIDIA H100 80GB HBM3", "Tesla T4"]
    for hidden in ("", "-1"):
        monkeypatch.setenv(cards.HIDING, hidden)
        assert cards.installed() == []


@pytest.mark.parametrize(("script", "found"), [("echo Tesla T4; echo Tesla T4", ["Tesla T4"] * 2), ("exit 9", [])])
def test_without_the_driver_s_folder_nvidia_smi_is_asked(script: str, found: list[str], tmp_path: Path) -> None:
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert cards.installed() == found


def test_what_computes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cards.in_words(["A", "B", "A"]) == "2 x A, B"
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3})
    assert cards.in_words([]) == "the CPU, 2 cores"
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert cards.in_words([]) == "the CPU, 1 core"


@pytest.mark.parametrize(
    ("about", "has"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16\n", True),
        ("flags\t\t: fpu avx512f\n", False),
        ("Features\t: fp asimd bf16\n", True),
        ("model name\t: unknown\n", True),
    ],
)
def test_bfloat16_is_a_flag_of_the_processor(
    about: str, has: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "PROCESSOR", tmp_path / "cpuinfo")
    cards.PROCESSOR.write_text(about)
    assert cards.processor_has_bfloat16() == has
