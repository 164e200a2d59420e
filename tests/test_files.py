"""Files are whole or absent; locks are held by one; what is read is what it should be, or one line says so."""

import contextlib
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hicmd_tf.errors import UserError
from hicmd_tf.files import (
    alone,
    check_writable,
    in_turn,
    making_folder,
    read_bytes,
    read_json,
    read_text,
    replacing,
    sweep,
    write_json,
    write_text,
)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("mask", "file", "folder"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700), (0o2, 0o664, 0o775)]
)
def test_new_files_and_folders_have_the_mode_that_the_umask_leaves(
    mask: int, file: int, folder: int, tmp_path: Path
) -> None:
    with umask(mask):
        write_text(tmp_path / "new" / "a", "")
        with making_folder(tmp_path / "made"), alone(tmp_path / "lock", "busy"):
            pass
    assert [mode(tmp_path / name) for name in ("new/a", "new", "made", "lock")] == [file, folder, folder, file]


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for kept in (0o600, 0o640, 0o755):
        path.write_text("before")
        path.chmod(kept)
        write_text(path, "after")
        assert (mode(path), path.read_text()) == (kept, "after")


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, [1])
    with pytest.raises(RuntimeError), replacing(path) as file:
        file.write(b"half")
        raise RuntimeError
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, float("nan"))
    assert read_json(path) == [1] and names(tmp_path) == ["a.json"]


def test_a_folder_appears_whole_or_not_at_all_and_replaces_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), making_folder(tmp_path / "out") as partial:
        (partial / "half").write_text("half")
        raise RuntimeError
    assert names(tmp_path) == []
    with making_folder(tmp_path / "out") as partial:
        (partial / "whole").write_text("whole")
        assert not (tmp_path / "out").exists()
    assert names(tmp_path) == ["out", "whole"]
    with pytest.raises(UserError, match="exists already"), making_folder(tmp_path / "out"):
        pass
    with pytest.raises(UserError, match="can't be written"), making_folder(tmp_path / "out" / "whole" / "in"):
        pass
    with pytest.raises(UserError, match="2 exists already: name another"), making_folder(tmp_path / "2"):
        write_text(tmp_path / "2" / "by-another-process", "")
    (tmp_path / "empty").mkdir()
    with contextlib.chdir(tmp_path / "empty"), pytest.raises(UserError, match="no name for a new folder: give one, su"):
        making_folder(Path(".")).__enter__()
    (tmp_path / "empty").rmdir()
    assert names(tmp_path) == ["2", "by-another-process", "out", "whole"]


KILLED = """
import os, sys
from pathlib import Path
from hicmd_tf.files import making_folder, replacing
folder = Path(sys.argv[1])
with replacing(folder / "it") as file, making_folder(folder / "all") as partial:
    (partial / "half").write_text("half")
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_writer_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    (tmp_path / ".mine.tmp").write_text("no temporary name of ours")
    assert len(list(tmp_path.iterdir())) == 3
    sweep(tmp_path)
    assert names(tmp_path) == [".mine.tmp"]


def test_a_folder_that_a_kill_left_is_gone_when_it_is_made_again(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    others = {".it.": 1, ".all.": 1}
    assert {name[: name.index(".", 1) + 1]: 1 for name in names(tmp_path) if name.endswith(".tmp")} == others
    with making_folder(tmp_path / "all") as first, making_folder(tmp_path / "alles"):
        (first / "half").write_text("half")  # which is not left by a kill
        with contextlib.suppress(UserError), making_folder(tmp_path / "all"):
            assert (first / "half").exists()
            raise UserError("the first goes on")
    assert (tmp_path / "all" / "half").exists()
    assert [name[:4] for name in names(tmp_path) if name.endswith(".tmp")] == [".it."]


def test_what_can_not_be_written_is_said_and_trying_leaves_no_trace(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "newer" / "a")
    write_text(tmp_path / "file", "before")
    os.mkfifo(tmp_path / "pipe")
    check_writable(tmp_path / "file")
    for path, said in (
        (tmp_path / "file" / "a", "can't be written"),
        (Path("/proc/a/b"), "can't be written"),
        (tmp_path, "is no file that can be replaced"),
        (tmp_path / "pipe", "is no file that can be replaced"),
    ):
        for write in (check_writable, lambda path: write_text(path, "")):
            with pytest.raises(UserError, match=rf"^{path}.*{said}"):
                write(path)
    with pytest.raises(UserError, match=r"can't be written \(File name too long\); give a shorter name"):
        write_text(tmp_path / ("a" * 250), "x")
    assert names(tmp_path) == ["file", "pipe"] and (tmp_path / "file").read_text() == "before"


def test_a_lock_is_held_by_one_process_and_given_back_by_a_killed_one(tmp_path: Path) -> None:
    hold = (
        "import os, sys, time; from pathlib import Path; from hicmd_tf.files import alone\n"
        "with alone(Path(sys.argv[1]), 'busy'): print('held', flush=True); time.sleep(100)"
    )
    process = subprocess.Popen([sys.executable, "-c", hold, str(tmp_path / "lock")], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"held\n"
    with pytest.raises(UserError, match=r"^busy$"), alone(tmp_path / "lock", "busy"):
        pass
    process.kill()
    process.communicate()
    with alone(tmp_path / "lock", "busy"), pytest.raises(BlockingIOError):
        raise BlockingIOError  # of the work, not of the lock


def test_who_comes_second_waits_for_the_first(tmp_path: Path) -> None:
    lock, told = tmp_path / "folder" / "lock", []
    entered, let_go = threading.Event(), threading.Event()

    def first() -> None:
        with in_turn(lock):
            entered.set()
            let_go.wait()
            told.append("first")

    def second() -> None:
        with in_turn(lock) as held:
            told.append(f"second, {held}")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    entered.wait()
    threads[1].start()
    threads[1].join(0.2)
    assert not told
    let_go.set()
    for thread in threads:
        thread.join()
    assert told == ["first", "second, True"]
    (tmp_path / "file").write_text("")
    with in_turn(tmp_path / "file" / "lock") as held:
        assert not held


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def holding(content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "x").write_bytes(content)
        return folder / "x"

    return make


@pytest.mark.parametrize(
    ("make", "read", "said"),
    [
        (pipe, read_bytes, "a pipe or a device, no file: give another"),
        (lambda _: Path("/dev/zero"), read_bytes, "a pipe or a device, no file: give another"),
        (lambda folder: folder, read_bytes, "is a folder, no file: give another"),
        (lambda folder: folder / "missing", read_bytes, "can't be read .*No such file.*: give another"),
        (lambda folder: folder / "a\0b", read_bytes, "can't be read .*: give another"),
        (lambda folder: folder / ("n" * 300), read_bytes, "can't be read .*too long.*: give another"),
        (holding(b"\xff" * 4), lambda file, words: read_bytes(file, words, 3), "4 bytes, more than 3: give another"),
        (holding(b"\xff" * 4), read_text, "not a text file in UTF-8: give another"),
        (lambda folder: folder / "missing", lambda file, _: read_json(file), "can't be read"),
        *(
            (holding(text.encode()), lambda file, _: read_json(file), "is not JSON .*; delete it")
            for text in ("{", "[" * 20_000, '{"a": NaN}', "[-Infinity]", "1" * 5000, "\0")
        ),
    ],
)
def test_what_can_not_be_read_is_one_line(
    make: Callable[[Path], Path], read: Callable[[Path, str], Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        read(make(tmp_path), "give another")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_json(tmp_path / "new" / "b.json", {"k": 0.5})
    assert read_json(tmp_path / "new" / "b.json") == {"k": 0.5}
