"""People of another hand: a folder that every command reads."""

from pathlib import Path

import numpy as np
from PIL import Image

from bench.cut_outs import main
from hicmd_tf.config import load as load_config
from hicmd_tf.config import with_values
from hicmd_tf.data.datasets import load


def drawn(folder: Path, *words: str) -> dict[str, np.ndarray]:
    main(["--out", str(folder), "--people", "3", "--pictures", "2", *words])
    found = {}
    for file in sorted(folder.rglob("*.png")):
        with Image.open(file) as picture:
            found[file.relative_to(folder).as_posix()] = np.asarray(picture)
    return found


def test_a_folder_that_commands_read_the_same_each_time(tmp_path: Path) -> None:
    one, again, other = (drawn(tmp_path / name, "--seed", seed) for name, seed in zip("abc", "445", strict=True))
    assert len(one) == 16 and one.keys() == again.keys() == other.keys()
    np.testing.assert_equal(one, again)
    assert not any(np.array_equal(one[name], other[name]) for name in one)
    assert {picture.shape for picture in one.values()} == {(64, 32, 3)}
    grey = {name for name, picture in one.items() if (picture == picture[..., :1]).all()}
    assert grey == {name for name in one if "/infrared/" in name}
    given = {"data.name": "folder", "data.source": str(tmp_path / "a")}
    splits = load(with_values(load_config("own"), given).data)
    assert (len(splits.train), len(splits.test)) == (4, 12)
    assert [splits.test.identity(row) for row in (0, 11)] == ["1", "3"]
