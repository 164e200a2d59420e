"""Numbered versions of a SavedModel, where others make some at the same time."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hicmd_tf.commands import main as hicmd
from hicmd_tf.export import saved_model


def test_of_two_exports_at_once_the_later_becomes_the_next_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def save(source: Any, folder: Path, licence: str) -> None:
        (folder / "mine").write_text("")
        (tmp_path / "out" / "1").mkdir()
        (tmp_path / "out" / "1" / "theirs").write_text("")

    monkeypatch.setattr(saved_model, "save", save)
    monkeypatch.setattr(
        "hicmd_tf.export.source.open_run", lambda _: SimpleNamespace(branch=SimpleNamespace(signatures=dict))
    )
    monkeypatch.setattr("hicmd_tf.export.check.check", lambda *_: [])
    monkeypatch.setattr("hicmd_tf.export.check.shown", lambda _: "")
    hicmd(["export", "saved-model", "--run", str(tmp_path / "run"), "--out", str(tmp_path / "out")])
    assert {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")} == {
        "out",
        "out/1",
        "out/1/theirs",
        "out/2",
        "out/2/mine",
    }
    assert capsys.readouterr().out.strip() == f"{tmp_path / 'out' / '2'}:"
