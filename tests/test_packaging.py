"""What an installation consists of: one top-level package, with everything inside it."""

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The command by which setuptools gathers a wheel's files."""
    from distutils.core import run_setup

    monkeypatch.chdir(ROOT)
    distribution = run_setup("setup.py", stop_after="init")
    command = distribution.get_command_obj("build_py")
    command.build_lib = str(tmp_path)
    command.ensure_finalized()
    return command


def test_a_wheel_has_one_package_with_everything_inside(build: Any, tmp_path: Path) -> None:
    build.run()
    assert [path.name for path in tmp_path.iterdir()] == ["hicmd_tf"]
    found = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))
    inside = {"hicmd_tf": "hicmd_tf", "export": "hicmd_tf/export", "tuning": "hicmd_tf/tuning"}
    for folder, name in inside.items():
        for file in (ROOT / folder).rglob("*.py"):
            assert Path(name) / file.relative_to(ROOT / folder) in found
    for file in [*(ROOT / "configs").glob("*.yaml"), *(ROOT / "hicmd_tf" / "visualize" / "templates").iterdir()]:
        place = "configs" if file.suffix == ".yaml" else "visualize/templates"
        assert Path("hicmd_tf") / place / file.name in found
    assert Path("hicmd_tf/explorer/style.css") in found


def test_the_command_is_what_setup_installs(build: Any) -> None:
    from hicmd_tf.commands import console

    assert callable(console)
    assert build.distribution.entry_points == {"console_scripts": ["hicmd = hicmd_tf.commands:console"]}
