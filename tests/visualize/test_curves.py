"""The curves of a run: what is drawn, and what is refused."""

import io
from pathlib import Path

import pytest
from PIL import Image

from hicmd_tf.errors import UserError
from hicmd_tf.visualize.curves import PANELS, main, read_losses

NAMES = [name for names in PANELS.values() for name in names]


def write_losses(folder: Path, values: list[float]) -> Path:
    rows = [["step", *NAMES], *([step, *[value] * len(NAMES)] for step, value in enumerate(values))]
    path = folder / "losses.csv"
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


def test_columns_are_read_by_name(tmp_path: Path) -> None:
    losses = read_losses(write_losses(tmp_path, [3.0, 1.5]))
    assert losses["step"] == [0, 1] and losses["cross_entropy"] == [3.0, 1.5]


def test_other_losses_give_another_picture(tmp_path: Path) -> None:
    pictures = []
    for values in ([3.0, 1.5, 1.0], [3.0, 2.5, 1.0]):
        write_losses(tmp_path, values)
        main(["--run", str(tmp_path), "--out", str(tmp_path / "curves.png")])
        pictures.append((tmp_path / "curves.png").read_bytes())
    assert pictures[0] != pictures[1]
    with Image.open(io.BytesIO(pictures[0])) as picture:
        assert picture.format == "PNG" and picture.width > 500


@pytest.mark.parametrize(
    ("content", "named"), [(None, "does not exist"), ("step,same\n", "no row"), ("step,same\n1,x\n", "damaged")]
)
def test_a_missing_empty_or_damaged_table_is_one_line(content: str | None, named: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "losses.csv").write_text(content)
    with pytest.raises(UserError, match=named):
        read_losses(tmp_path / "losses.csv")
