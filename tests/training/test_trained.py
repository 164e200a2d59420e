"""Whom a run was trained on, as its folder says it."""

from pathlib import Path
from typing import Any

import pytest

from hicmd_tf.errors import UserError
from hicmd_tf.files import write_json
from hicmd_tf.training.trained import Trained, read_trained


def test_what_was_written_is_read_and_nothing_is_known_without_it(tmp_path: Path) -> None:
    trained = Trained("regdb", [1, 5])
    write_json(tmp_path / "identities.json", trained._asdict())
    assert read_trained(tmp_path / "identities.json") == trained
    assert read_trained(tmp_path / "other.json") is None


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        "regdb",
        {},
        {"people": "regdb"},
        {"people": 1, "identities": [1]},
        {"people": "regdb", "identities": 1},
        {"people": "regdb", "identities": ["1"]},
        {"people": "regdb", "identities": [[1]]},
        {"people": "regdb", "identities": [True]},
    ],
)
def test_anything_else_is_one_line_that_names_the_file(found: Any, tmp_path: Path) -> None:
    write_json(tmp_path / "identities.json", found)
    with pytest.raises(UserError, match=r"identities\.json doesn't say on whom was trained"):
        read_trained(tmp_path / "identities.json")
