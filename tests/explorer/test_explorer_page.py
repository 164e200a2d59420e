"""The explorer's page in a real browser, on a phone and a wide screen, light and dark; and what the server refuses."""

import http.client
import io
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hicmd_tf.commands.explore import main
from hicmd_tf.errors import UserError
from hicmd_tf.explorer.studio import Ranking, Studio
from hicmd_tf.notation import INFRARED, VISIBLE

PHONE, WIDE = (390, 844), (1280, 900)
SHOWN = """wanted => JSON.stringify(wanted) === JSON.stringify(
  [...document.querySelectorAll('.thumb img')].filter(x => x.checkVisibility()).map(x => x.alt))"""
MISCHIEF = "<img src=x onerror=alert(1)>.png"


@pytest.fixture(scope="module")
def started(smoke_run: Path) -> Iterator[subprocess.Popen[str]]:
    """A server that begins, and ends by Ctrl-C, without a traceback."""
    command = [sys.executable, "-m", "hicmd_tf", "explore", "--run", str(smoke_run), "--port", "0", "--no-open"]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    yield process
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 0 and "Traceback" not in said, said


@pytest.fixture(scope="module")
def port(started: subprocess.Popen[str], studio: Studio) -> int:
    """Where the server's page is; what it is compared with is opened while the server is."""
    assert started.stdout is not None
    ready = re.search(r"http://127\.0\.0\.1:(\d+) ", started.stdout.readline())
    assert ready is not None
    return int(ready[1])


def opened(browser: Any, port: int, size: tuple[int, int], scheme: str) -> Any:
    page = browser.open(f"http://127.0.0.1:{port}/", *size, scheme)
    page.set_default_timeout(30_000)
    page.locator(".thumb img").first.wait_for()
    return page


def cosines(page: Any) -> list[float]:
    return [float(words) for words in re.findall(r"cosine (-?\d\.\d{3})", page.locator(".hits").inner_text())]


def verdicts(page: Any) -> list[str]:
    return [words.split(": ")[1] for words in page.locator(".verdict").all_inner_texts()]


def expect_ranked(page: Any, ranking: Ranking, count: int) -> None:
    page.locator(".hit").nth(count - 1).wait_for()
    assert page.locator(".hit").count() == count
    assert cosines(page) == pytest.approx([hit.similarity for hit in ranking.hits[:count]], abs=1e-3)


def expect_clean(browser: Any, port: int) -> None:
    assert browser.errors == []
    inside = (f"http://127.0.0.1:{port}/", "data:image/png;base64,")
    assert browser.requests and all(address.startswith(inside) for address in browser.requests)


def test_a_query_gives_its_ranked_list_with_right_and_wrong_in_words(browser: Any, port: int, studio: Studio) -> None:
    page = opened(browser, port, PHONE, "dark")
    page.get_by_role("button", name="infrared").first.click()
    called = [studio.words(row) for row in studio.rows(INFRARED)]
    row = next(row for row in studio.rows(INFRARED) if called.count(studio.words(row)) == 1)
    ranking = studio.search(row)
    thumb = page.get_by_role("button", name=studio.words(row))
    thumb.focus()
    page.keyboard.press("Enter")

    expect_ranked(page, ranking, 10)
    assert thumb.get_attribute("aria-pressed") == "true"
    signs = {True: "✓ right", False: "✗ wrong"}
    assert verdicts(page) == [signs[bool(hit.right)] for hit in ranking.hits[:10]]
    assert page.locator(".hit.right").count() == sum(bool(hit.right) for hit in ranking.hits[:10])
    said = page.locator(".query").inner_text()
    assert (
        studio.run.samples.names[row] in said
        and f"rank {ranking.first}, average precision {ranking.average_precision:.3f}" in said
    )

    page.get_by_role("button", name="10 more").click()
    expect_ranked(page, ranking, len(studio.rows(VISIBLE)))
    assert not page.get_by_role("button", name="10 more").is_visible()
    expect_clean(browser, port)


def test_a_person_can_be_chosen(browser: Any, port: int, studio: Studio) -> None:
    page = opened(browser, port, WIDE, "dark")
    identity = list(studio.people)[-1]
    page.get_by_role("combobox", name="person").first.fill(str(identity))
    page.get_by_role("option", name=str(identity), exact=True).click()
    page.get_by_text("1 to 2 of 2").wait_for()
    wanted = [studio.words(row) for row in studio.rows(VISIBLE, identity)]
    page.wait_for_function(SHOWN, arg=wanted)
    expect_clean(browser, port)


def test_a_file_that_is_no_picture_is_refused_on_the_page_which_goes_on(
    browser: Any, port: int, studio: Studio
) -> None:
    page = opened(browser, port, PHONE, "light")
    hand_in = page.locator("input[type=file]")

    hand_in.set_input_files({"name": MISCHIEF, "mimeType": "image/png", "buffer": b"\x89PNG no picture"})
    said = "expected a whole PNG, JPEG, BMP, WebP, TIFF or GIF: choose another one"
    alert = page.get_by_role("alert").filter(has_text=said)
    alert.wait_for()
    assert MISCHIEF in alert.inner_text() and page.locator(".hit").count() == 0

    hand_in.set_input_files({"name": "a.ppm", "mimeType": "image/x-portable-pixmap", "buffer": b"P6"})
    page.get_by_text("the file was not taken, expected a PNG, JPEG, BMP, WebP, TIFF, GIF of at most 20 MiB").wait_for()

    file = io.BytesIO()
    Image.new("L", (70, 150), 90).save(file, "JPEG")
    assert page.get_by_role("button", name="choose a file").is_disabled()  # before its modality is known
    page.get_by_role("group", name="modality of your own picture").get_by_role("button", name="infrared").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="choose a file").click()
    chooser.value.set_files({"name": "own.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()})
    page.get_by_text("your own picture, infrared").wait_for()

    expect_ranked(page, studio.search_upload(studio.opened(file.getvalue()), INFRARED), 10)
    assert set(verdicts(page)) == {"? unknown"} and "No right one is known" in page.locator(".query").inner_text()
    assert not page.get_by_role("alert").filter(has_text="expected").is_visible()
    expect_clean(browser, port)


def test_sliders_and_swaps_change_the_generated_picture(browser: Any, port: int, studio: Studio) -> None:
    page = opened(browser, port, WIDE, "light")
    page.get_by_role("tab", name="Codes").click()
    generated = page.locator("img[alt^='generated']")

    def made(words: str) -> str:
        page.locator(f"img[alt='generated from A to B: {words}']").wait_for()
        return str(generated.get_attribute("src"))

    at_a = made("prototype 0.00, style 0.00, pose 0.00, illumination 0.00")
    page.get_by_role("slider", name="prototype, from A to B").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    slid = made("prototype 0.10, style 0.00, pose 0.00, illumination 0.00")
    page.get_by_role("button", name="A in B's pose and light").click()
    swapped = made("prototype 0.00, style 0.00, pose 1.00, illumination 1.00")
    page.get_by_role("button", name="reset").click()
    assert made("prototype 0.00, style 0.00, pose 0.00, illumination 0.00") == at_a
    assert len({at_a, slid, swapped}) == 3

    page.get_by_role("button", name="choose A").click()
    other = studio.rows(VISIBLE)[-1]
    page.get_by_role("dialog").get_by_role("button", name=studio.words(other)).last.click()
    page.get_by_role("dialog").wait_for(state="hidden")
    assert page.locator("img[alt^='picture A: ']").get_attribute("alt") == f"picture A: {studio.words(other)}"
    page.wait_for_function("before => document.querySelector(\"img[alt^='generated']\").src !== before", arg=at_a)
    expect_clean(browser, port)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_screen_and_follows_the_systems_colours(browser: Any, port: int, scheme: str) -> None:
    for size in (PHONE, WIDE):
        page = opened(browser, port, size, scheme)
        page.locator(".thumb").first.click()
        page.locator(".hit").first.wait_for()

        query, results = (page.get_by_role("heading", name=words).bounding_box() for words in ("Query", "Ranked list"))
        assert (results["x"] > query["x"] + 100) == (size == WIDE)  # side by side where there is room
        shades = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        assert (max(shades) < 60) if scheme == "dark" else (min(shades) > 200)
        for tab in ("Search", "Codes"):
            page.get_by_role("tab", name=tab).click()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            # At one moment: pictures come and go while the page is being filled.
            assert page.evaluate("[...document.images].filter(x => x.checkVisibility()).every(x => x.alt)")
    expect_clean(browser, port)


def asked(port: int, path: str, host: str = "127.0.0.1") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={"Host": host})
    return connection.getresponse().status


def test_it_answers_this_machine_only_and_no_row_is_a_path(port: int) -> None:
    assert asked(port, "/pictures/0") == 200
    assert asked(port, "/pictures/0", host="elsewhere.example") == 400  # a name that was made to lead here
    for path in ("/pictures/24", "/pictures/-1", "/pictures/..%2fconfig.yaml", "/pictures/config.yaml"):
        assert asked(port, path) in (404, 422), path
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=60)  # this machine too, by another of its addresses


def test_a_taken_port_and_a_folder_that_is_no_run_are_one_line(tmp_path: Path, smoke_run: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UserError, match="can't be listened on"):
        main(["--run", str(smoke_run), "--port", str(taken.getsockname()[1])])
    with pytest.raises(UserError, match="not a run folder"):
        main(["--run", str(tmp_path), "--port", "0"])
