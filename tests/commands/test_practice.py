"""The path of docs/own_pictures.md, as a new user types it."""

import contextlib
import re
import shlex
from pathlib import Path

import pytest

from hicmd_tf.commands import main as hicmd
from hicmd_tf.commands import search

PAGE = Path(__file__).parents[2] / "docs" / "own_pictures.md"


def typed() -> list[list[str]]:
    """The words of the page's first commands."""
    block = re.search(r"^```\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None
    return [shlex.split(line) for line in block[1].replace("\\\n", "").splitlines()]


def test_each_command_of_the_page_leads_to_the_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample, check, fit, index, query = typed()
    with contextlib.chdir(tmp_path):
        hicmd(sample[1:])
        assert shlex.split(capsys.readouterr().out.splitlines()[-1]) == check
        hicmd(check[1:])
        assert shlex.split(capsys.readouterr().out.splitlines()[-1]) == fit
        filled, asked = (search._parser().parse_args(words[2:]) for words in (index, query))
        for options in (filled, asked):
            search._check(options)
            assert str(options.run) == fit[-1]
        assert filled.images.is_dir() and all(picture.is_file() for picture in asked.picture)
        assert filled.images in asked.picture[0].parents and filled.index == asked.index
