"""Evaluation tables in a folder, none of which takes the place of another one's."""

from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hicmd_tf.config.schema import DataConfig
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import UserError
from hicmd_tf.files import read_json, write_json, write_text
from hicmd_tf.retrieval.report import as_csv, as_markdown, verification_as_csv, verification_as_markdown

if TYPE_CHECKING:
    from hicmd_tf.retrieval.evaluation import Row
    from hicmd_tf.retrieval.verification import Verified

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


def write_table(
    rows: "Sequence[Row]", about: About, folder: Path, own: bool = False, verified: "Sequence[Verified]" = ()
) -> str:
    """Writes evaluation.json, .csv and .md, or files with a name of their own where those are of a run's own evaluation
    or of other pictures. own: whether this is the run's own evaluation, in its folder. verified: beside the ranking.
    Returns the name."""
    names = chain([f"{TABLE}_{about.named}"], (f"{TABLE}_{about.named}_{n}" for n in count(2)))
    names = names if is_run(folder) else chain([TABLE], names)
    name = TABLE if own else next(name for name in names if _may_replace(folder / f"{name}.json", about))
    write_rows(rows, folder, name, verified, data=about.data, pictures_sha256=about.pictures)
    return name


def write_rows(
    rows: "Sequence[Row]", folder: Path, name: str = TABLE, verified: "Sequence[Verified]" = (), **about: Any
) -> None:
    """Writes NAME.json, which also says what the table is of, NAME.csv and NAME.md; what was verified is in JSON and
    Markdown too, and in NAME.verification.csv, whose columns are others."""
    found = {"verification": [one._asdict() for one in verified]} if verified else {}
    write_json(folder / f"{name}.json", {**about, "rows": [row._asdict() for row in rows], **found})
    write_text(folder / f"{name}.csv", as_csv(rows))
    parts = [as_markdown(rows), *([verification_as_markdown(verified)] if verified else [])]
    write_text(folder / f"{name}.md", "\n".join(parts))
    if verified:
        write_text(folder / f"{name}.verification.csv", verification_as_csv(verified))


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
