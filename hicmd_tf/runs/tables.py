"""Evaluation tables in a folder, none of which takes the place of another one's."""

from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hicmd_tf.config.schema import DataConfig
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import UserError
from hicmd_tf.files import read_json, write_json, write_text
from hicmd_tf.retrieval.report import as_csv, as_markdown

if TYPE_CHECKING:
    from hicmd_tf.retrieval.evaluation import Row

TABLE = "evaluation"


class About(NamedTuple):
    """The subject of a table. data: set by name. pictures: SHA-256 of them. named: the name of its files beside those
    of another table."""

    data: str
    pictures: str
    named: str

    @classmethod
    def of(cls, data: DataConfig, pictures: str) -> "About":
        """Those of a configuration's data set."""
        return cls(data.name, pictures, DATA_SETS[data.name].called(data))


def write_table(rows: "Sequence[Row]", about: About, folder: Path, own: bool = False) -> str:
    """Writes evaluation.json, .csv and .md, or files with a name of their own where those are of a run's own evaluation
    or of other pictures. own: whether this is the run's own evaluation, in its folder. Returns the name."""
    names = chain([f"{TABLE}_{about.named}"], (f"{TABLE}_{about.named}_{n}" for n in count(2)))
    names = names if is_run(folder) else chain([TABLE], names)
    name = TABLE if own else next(name for name in names if _may_replace(folder / f"{name}.json", about))
    write_rows(rows, folder, name, data=about.data, pictures_sha256=about.pictures)
    return name


def write_rows(rows: "Sequence[Row]", folder: Path, name: str = TABLE, **about: Any) -> None:
    """Writes NAME.json, which also says what the table is of, NAME.csv and NAME.md."""
    write_json(folder / f"{name}.json", {**about, "rows": [row._asdict() for row in rows]})
    write_text(folder / f"{name}.csv", as_csv(rows))
    write_text(folder / f"{name}.md", as_markdown(rows))


def is_run(folder: Path) -> bool:
    """Whether a folder is a run's."""
    return (folder / "config.yaml").is_file()


def _may_replace(file: Path, about: About) -> bool:
    """Whether there is no table yet, or one of the same pictures, judged as the same data set."""
    try:
        found = read_json(file)
    except UserError:  # missing, or damaged
        return True
    return isinstance(found, dict) and (found.get("data"), found.get("pictures_sha256")) == about[:2]
