"""Files are whole or absent; commands end in one line."""

import errno
import fcntl
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hicmd_tf.errors import UserError, run_command
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


@pytest.mark.parametrize(
    ("mask", "file", "folder"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700), (0o2, 0o664, 0o775)]
)
def test_new_files_and_folders_have_the_mode_that_the_umask_leaves(
    mask: int, file: int, folder: int, tmp_path: Path
) -> None:
    with umask(mask):
        write_text(tmp_path / "new" / "a", "")
        with making_folder(tmp_path / "made"):
            pass
        with alone(tmp_path / "lock", "busy"):
            pass
    assert [mode(tmp_path / name) for name in ("new/a", "new", "made", "lock")] == [file, folder, folder, file]


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for kept in (0o600, 0o640, 0o755):
        path.write_text("before")
        path.chmod(kept)
        write_text(path, "after")
        assert (mode(path), path.read_text()) == (kept, "after")
        path.unlink()


KILLED = """
import os, sys
from pathlib import Path
from hicmd_tf.files import making_folder, replacing
folder = Path(sys.argv[1])
with replacing(folder / "it") as file, making_folder(folder / "all") as partial:
    (partial / "half").write_text("half")
    os.kill(os.getpid(), 9)
"""


def names(folder: Path) -> list[str]:
    """What lies in a folder, temporary names as kinds."""
    return sorted(f".{path.name.split('.')[1]}" if path.name[0] == "." else path.name for path in folder.iterdir())


def test_what_a_killed_writer_left_is_swept_by_the_next_one_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    (tmp_path / ".other.abcdefgh.tmp").write_text("of another file")
    assert names(tmp_path) == [".all", ".it", ".other"]
    with replacing(tmp_path / "it") as file, making_folder(tmp_path / "all"):
        assert names(tmp_path) == [".all", ".it", ".other"]
        write_text(tmp_path / "it", "by another process")
        sweep(tmp_path)
        assert names(tmp_path) == [".all", ".it", "it"]
        file.write(b"by this one")
    assert names(tmp_path) == ["all", "it"] and (tmp_path / "it").read_text() == "by this one"


def test_of_two_who_make_one_folder_the_second_says_so_or_takes_another_name(tmp_path: Path) -> None:
    with making_folder(tmp_path / "1", lambda: tmp_path / "2") as partial:
        (partial / "second").write_text("")
        with making_folder(tmp_path / "1") as first:
            (first / "first").write_text("")
    assert (tmp_path / "1" / "first").is_file() and (tmp_path / "2" / "second").is_file()
    with pytest.raises(UserError, match="3 exists already: name another folder"), making_folder(tmp_path / "3"):
        write_text(tmp_path / "3" / "first", "")
    assert names(tmp_path) == ["1", "2", "3"]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_lock_that_is_not_held_is_said(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    for hold in (lambda: alone(tmp_path / "lock", "busy"), lambda: in_turn(tmp_path / "lock")):
        with pytest.warns(UserWarning, match=f"{tmp_path} lies on a file system without locks"), hold():
            pass
    with replacing(tmp_path / "it"):
        sweep(tmp_path)  # leaves what may be written just now
        assert names(tmp_path) == [".it", "lock"]


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


def test_what_can_not_be_written_is_said_with_its_option_and_trying_leaves_no_trace(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "newer" / "a")
    write_text(tmp_path / "file", "before")
    check_writable(tmp_path / "file")
    assert names(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "before"
    for path in (tmp_path / "file" / "a", Path("/proc/a/b"), tmp_path):
        with pytest.raises(UserError, match=rf"^{path}.* with --to$"):
            check_writable(path, "--to")


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, [1])
    with pytest.raises(RuntimeError), replacing(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert read_json(path) == [1]
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made_and_a_file_in_their_place_is_named(tmp_path: Path) -> None:
    write_json(tmp_path / "new" / "b.json", {"k": 0.5})
    assert read_json(tmp_path / "new" / "b.json") == {"k": 0.5}
    with pytest.raises(UserError, match="can't be written"):
        write_json(tmp_path / "new" / "b.json" / "c.json", 1)


def test_numbers_that_json_has_not_are_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, 1)
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, float("nan"))
    assert read_json(path) == 1


@pytest.mark.parametrize(("content", "named"), [(None, "can't be read"), ("{", "not JSON")])
def test_missing_and_damaged_json_is_named(content: str | None, named: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "x.json").write_text(content)
    with pytest.raises(UserError, match=rf"x\.json.*{named}"):
        read_json(tmp_path / "x.json")


def test_what_fails_leaves_no_folder_that_it_made_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    for make in (replacing, making_folder):
        with pytest.raises(RuntimeError), make(tmp_path / "old" / "new" / "newer" / "it"):
            raise RuntimeError
    assert [path.name for path in tmp_path.rglob("*")] == ["old"]
    write_text(tmp_path / "new" / "newer" / "it", "")
    assert (tmp_path / "new" / "newer" / "it").is_file()


@pytest.mark.parametrize("content", ["[" * 20_000, '{"a": NaN}', "[-Infinity]", "1" * 5000, "\0"])
def test_json_beyond_all_measure_is_damaged(content: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(UserError, match=r"x\.json: is not JSON"):
        read_json(tmp_path / "x.json")


def test_a_pipe_a_device_and_a_folder_are_named_and_not_read_for_ever(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "pipe", "a pipe"), (Path("/dev/zero"), "a device"), (tmp_path, "is a folder")):
        with pytest.raises(UserError, match=f"{kind}.*, no file: give another"):
            read_bytes(path, "give another")


def test_what_is_read_has_a_bound_a_name_and_letters(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"\xff" * 4)
    assert read_bytes(file, "", most=4) == b"\xff" * 4
    for read, said in (
        (lambda: read_bytes(file, "give a small one", most=3), "more than .*: give a small one"),
        (lambda: read_text(file, "give text"), "not a text file in UTF-8: give text"),
        (lambda: read_bytes(tmp_path / "a\0b", "give a file"), "can't be read .*: give a file"),
        (lambda: read_bytes(tmp_path / ("n" * 300), "give a file"), "can't be read .*too long.*: give a file"),
    ):
        with pytest.raises(UserError, match=said):
            read()


def test_a_device_is_not_put_out_of_its_place(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(UserError, match="is no file that can be replaced"):
            write_text(path, "")
    assert not (tmp_path / "pipe").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_users_mistake_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise UserError("the thing\nis wrong")

    with pytest.raises(SystemExit) as stopped:
        run_command(main)
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "error: the thing is wrong\n"


def test_a_message_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise UserError("a name of \x1b[31m\0 and \udcff, für\tsich")

    with pytest.raises(SystemExit, match="2"):
        run_command(main)
    assert capsys.readouterr().err == "error: a name of \\x1b[31m\\x00 and \\udcff, für sich\n"


def test_a_name_that_no_system_takes_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "link").symlink_to("n" * 300)
    (tmp_path / "circle").symlink_to("circle")
    for name, said in (("link", "File name too long"), ("circle", "Too many levels of symbolic links")):
        with pytest.raises(SystemExit, match="2"):
            run_command(lambda name=name: (tmp_path / name).read_bytes() and None)  # type: ignore[misc]
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {tmp_path / name}: {said}")


def test_other_errors_stay_visible() -> None:
    def main() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_command(main)


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), making_folder(tmp_path / "out") as partial:
        (partial / "half").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with making_folder(tmp_path / "out") as partial:
        (partial / "whole").write_text("whole")
        assert not (tmp_path / "out").exists()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["whole"]
    with pytest.raises(UserError, match="exists already"), making_folder(tmp_path / "out"):
        pass
    with pytest.raises(UserError, match="can't be written"), making_folder(tmp_path / "out" / "whole" / "in"):
        pass


def test_an_extra_that_is_missing_is_named_and_other_mistakes_are_not_hidden(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def needs(package: str) -> None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    with pytest.raises(SystemExit, match="2"):
        run_command(lambda: needs("tensorflow_serving.apis"))
    assert capsys.readouterr().err == (
        "error: the package tensorflow_serving is not installed: pip install 'hicmd-tf[export]' brings it\n"
    )
    for ours in ("hicmd_tf.misspelt", "fcntl"):
        with pytest.raises(ModuleNotFoundError):
            run_command(lambda ours=ours: needs(ours))  # type: ignore[misc]


def test_who_comes_second_waits_for_the_first(tmp_path: Path) -> None:
    lock, told, let_go = tmp_path / "folder" / "lock", [], threading.Event()
    entered = threading.Event()

    def first() -> None:
        with in_turn(lock):
            entered.set()
            let_go.wait()
            told.append("first")

    def second() -> None:
        with in_turn(lock):
            told.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    entered.wait()
    threads[1].start()
    threads[1].join(0.2)
    assert not told
    let_go.set()
    for thread in threads:
        thread.join()
    assert told == ["first", "second"]


def test_where_no_lock_can_be_made_nothing_is_held(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with in_turn(tmp_path / "file" / "lock") as held:
        assert not held
    with in_turn(tmp_path / "lock") as held:
        assert held


def test_another_users_lock_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is where a folder may be written by several people, or is on read-only media."""
    (tmp_path / "lock").write_text("")
    original = os.open

    def reading(path: Path, flags: int, *mode: int) -> int:
        if flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "Permission denied")
        return original(path, flags, *mode)

    monkeypatch.setattr(os, "open", reading)
    with in_turn(tmp_path / "lock") as held:
        assert held
        with pytest.raises(BlockingIOError):
            fcntl.flock(original(tmp_path / "lock", os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_name_that_leaves_no_room_for_a_temporary_one_is_said_to_be_too_long(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"can't be written \(File name too long\); give a shorter name"):
        write_text(tmp_path / ("a" * 250), "x")
    assert not list(tmp_path.iterdir())
