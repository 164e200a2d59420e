"""Indexes of pictures, in CSV and Parquet, from files and from URLs."""

import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hicmd_tf.data.sources.index import digest, indexed, location, read, root_of
from hicmd_tf.errors import UserError

ROWS = [
    {"path": "a.png", "modality": "RGB", "identity": "anna", "camera": "gate", "time": "90.5", "track": "t1"},
    {"path": "sub/b.png", "modality": "ir", "identity": "", "camera": "", "time": "", "track": ""},
    {"path": "/pool/c.png", "modality": "visible", "identity": "0012", "camera": "3", "time": "100", "track": ""},
    {"path": "http://host/d.png", "modality": "infrared", "identity": "-1", "camera": "", "time": "", "track": ""},
]
SAID = [
    ("a.png", "anna", "visible", "gate", 90.5, "t1"),
    ("sub/b.png", None, "infrared", None, None, None),
    ("/pool/c.png", "0012", "visible", "3", 100.0, None),
    ("http://host/d.png", None, "infrared", None, None, None),
]


def csv(file: Path, rows: list[dict[str, Any]]) -> str:
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return str(file)


def parquet(file: Path, rows: list[dict[str, Any]]) -> str:
    pq.write_table(pa.Table.from_pylist(rows), file)
    return str(file)


def short(place: str, modality: Any = None) -> list[Any]:
    return [(path, s.identity, s.modality, s.camera, s.time, s.track) for path, s in indexed(place, modality)]


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    assert short(csv(tmp_path / "index.csv", ROWS)) == SAID
    empty = [{name: value or None for name, value in row.items()} for row in ROWS]
    assert short(parquet(tmp_path / "index.parquet", empty)) == SAID


def test_parquet_has_numbers_and_moments_of_its_own(tmp_path: Path) -> None:
    moment = datetime.datetime(2026, 11, 5, 8, 30, 12, 250000, datetime.UTC)
    rows = [
        {"path": "a", "modality": "visible", "identity": 12, "camera": 3, "time": moment},
        {"path": "b", "modality": "visible", "identity": None, "camera": None, "time": None},
    ]
    for unit in ("ms", "us", "ns"):
        table = pa.Table.from_pylist(rows)
        table = table.set_column(4, "time", table["time"].cast(pa.timestamp(unit, "UTC")))
        pq.write_table(table, tmp_path / "index.parquet")
        found = short(str(tmp_path / "index.parquet"))
        assert found == [
            ("a", "12", "visible", "3", moment.timestamp(), None),
            ("b", None, "visible", None, None, None),
        ]
    rows = [{"path": "a", "modality": "visible", "time": 1_762_331_412.25}]
    assert short(parquet(tmp_path / "index.parquet", rows)) == [("a", None, "visible", None, 1_762_331_412.25, None)]


def test_one_modality_may_be_said_of_all(tmp_path: Path) -> None:
    bare = csv(tmp_path / "index.csv", [{"path": "a.png"}, {"path": "b.png"}])
    assert [row[2] for row in short(bare, "infrared")] == ["infrared"] * 2
    with pytest.raises(UserError, match="it has no column modality: expected a first line of path, modality, and"):
        short(bare)
    other = csv(tmp_path / "other.csv", [{"path": "a.png", "modality": "rgb"}])
    with pytest.raises(UserError, match="line 2 is visible, but --modality says infrared: leave that out"):
        short(other, "infrared")


@pytest.mark.parametrize("write", [csv, parquet])
def test_mistakes_are_named_with_their_row(write: Any, tmp_path: Path) -> None:
    def refused(said: str, *rows: dict[str, Any]) -> None:
        file = tmp_path / f"index.{write.__name__}"
        write(file, list(rows))
        with pytest.raises(UserError, match=said):
            short(str(file))

    good = {"path": "a.png", "modality": "visible", "identity": "", "time": ""}
    refused(
        "(line 3|row 2): modality is 'thermic': expected visible or infrared", good, {**good, "modality": "thermic"}
    )
    refused("(line 2|row 1): time is 'noon': expected a time such as", {**good, "time": "noon"})
    refused("(line 2|row 1) has no path", {**good, "path": ""})
    refused(r"unknown column 'idenity' \(nearest: identity\): ", {"path": "a", "modality": "visible", "idenity": ""})
    refused("unknown column 'split': ", {**good, "split": "train"})
    head = {csv: "a first line of path, modality,.* with commas between", parquet: "the columns path, modality,"}
    refused(f"unknown column 'file'; path is missing: expected {head[write]}", {"file": "a", "modality": "visible"})


def test_floats_of_parquet_are_whole_numbers_or_refused(tmp_path: Path) -> None:
    table = pa.table(
        {
            "path": ["a", "b", "c"],
            "modality": ["visible"] * 3,
            "identity": pa.array([16.0, None, float("nan")]),
            "camera": pa.array([3.0, -1.0, 2.0], pa.float32()),
            "time": pa.array([1.5, 2.0, None]),
        }
    )
    pq.write_table(table, tmp_path / "index.parquet")
    assert [row[1:2] + row[3:5] for row in short(str(tmp_path / "index.parquet"))] == [
        ("16", "3", 1.5),
        (None, "-1", 2.0),
        (None, "2", None),
    ]
    for wrong in (2.5, float("inf")):
        pq.write_table(table.set_column(2, "identity", pa.array([1.0, 2.0, wrong])), tmp_path / "index.parquet")
        with pytest.raises(UserError, match=rf"index\.parquet: identity is {wrong} in row 3: expected text or whole"):
            short(str(tmp_path / "index.parquet"))


def test_what_is_no_index_is_said(tmp_path: Path) -> None:
    (tmp_path / "index.parquet").write_text("path,modality\n")
    (tmp_path / "index.csv").write_bytes(b"path,modality\n\xff\xfe,visible\n")
    for name, said in (
        ("index.parquet", "can't be read"),
        ("index.csv", "is not a text file in UTF-8"),
        ("no.csv", r"can't be read \(No such file or directory\)"),
    ):
        with pytest.raises(UserError, match=said):
            short(str(tmp_path / name))


def test_urls_are_read_by_fsspec(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="pip install 'hicmd-tf[batch]'")
    memory = fsspec.filesystem("memory")
    for name in ("index.csv", "index.parquet"):
        (csv if name.endswith("csv") else parquet)(tmp_path / name, [one | {"identity": "x"} for one in ROWS])
        memory.pipe_file(f"/bucket/{name}", (tmp_path / name).read_bytes())
        assert [row[0] for row in short(f"memory://bucket/{name}")] == [row[0] for row in SAID]
        assert digest(f"memory://bucket/{name}") == digest(str(tmp_path / name))
    memory.pipe_file("/bucket/sub/b.png", b"content")
    root = root_of("memory://bucket/index.csv")
    assert read(location(root, "sub/b.png")) == b"content"
    with pytest.raises(UserError, match=r"^memory://bucket/a.png can't be read .*: expected a picture"):
        read(location(root, "a.png"))
    with pytest.raises(UserError, match=r"nowhere://x can't be read \(Protocol not known: nowhere\)"):
        read("nowhere://x")


def test_why_a_url_can_not_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec", reason="pip install 'hicmd-tf[batch]'")
    with pytest.raises(
        UserError, match=r"^memory://no\.csv can't be read \(there is no such file\): expected an index"
    ):
        digest("memory://no.csv")

    def raising(error: Exception, cause: Exception) -> None:
        def opened(*_: Any) -> None:
            raise error from cause

        monkeypatch.setattr(fsspec, "open", opened)

    raising(FileNotFoundError("http://host/i.csv"), ConnectionError("nobody answers"))  # as over HTTP
    with pytest.raises(UserError, match=r"^http://host/i\.csv can't be read \(nobody answers\): expected an index"):
        digest("http://host/i.csv")
    raising(ImportError("Install s3fs to access S3"), ModuleNotFoundError("No module named 's3fs'", name="s3fs"))
    with pytest.raises(UserError, match=r"^s3://b/i\.csv needs s3fs: pip install s3fs$"):
        digest("s3://b/i.csv")


def test_paths_begin_at_the_index_unless_they_say_otherwise(tmp_path: Path) -> None:
    root = root_of(str(tmp_path / "index.csv"))
    assert location(root, "sub/b.png") == str(tmp_path / "sub" / "b.png")
    assert location(root, "/pool/c.png") == "/pool/c.png" and location(root, "s3://b/c.png") == "s3://b/c.png"
