"""The page's server, for one person on this machine."""

import signal
import socket
import webbrowser
from pathlib import Path

import uvicorn
from fastapi import FastAPI, HTTPException, Response
from nicegui import app, ui
from starlette.middleware.trustedhost import TrustedHostMiddleware

from hicmd_tf.addresses import LOCALHOST
from hicmd_tf.config.kinds import HICMD
from hicmd_tf.errors import counted
from hicmd_tf.explorer.mixing import Mixing
from hicmd_tf.explorer.parts import ADDRESS, text
from hicmd_tf.explorer.searching import Searching
from hicmd_tf.explorer.studio import Studio
from hicmd_tf.retrieval.report import NAMES

STYLE = Path(__file__).parent / "style.css"


def serve(studio: Studio, opened: socket.socket, browser: bool) -> None:
    """Serves the page until Ctrl-C. browser: whether the system's is opened at it."""
    address = f"http://{LOCALHOST}:{opened.getsockname()[1]}"

    def ready() -> None:
        print(f"exploring {studio.run.folder.path}: {address}  (Ctrl-C ends it)", flush=True)
        if browser:
            webbrowser.open(address)

    app.on_startup(ready)
    config = uvicorn.Config(application(studio), log_level="error", timeout_graceful_shutdown=1)
    for number in (signal.SIGINT, signal.SIGTERM):  # which uvicorn hands on when it has ended
        signal.signal(number, lambda *_: None)
    uvicorn.Server(config).run(sockets=[opened])


def application(studio: Studio) -> FastAPI:
    """The page and the pictures that it shows."""
    served = FastAPI(openapi_url=None)
    served.add_middleware(TrustedHostMiddleware, allowed_hosts=[LOCALHOST, "localhost"])  # no other site's name is ours

    @served.get(ADDRESS + "{row}")
    def send(row: int) -> Response:
        try:
            return Response(studio.png(row), media_type="image/png", headers={"Cache-Control": "no-cache"})
        except IndexError as error:
            raise HTTPException(404) from error

    ui.page("/")(lambda: _page(studio))
    ui.run_with(served, title="hicmd explorer", dark=None, language="en-GB", tailwind=False, show_welcome_message=False)
    return served


def _page(studio: Studio) -> None:
    model, generates = studio.run.model, studio.run.config.method == HICMD
    ui.add_css(
        STYLE.read_text() + f"img {{ aspect-ratio: {model.width} / {model.height}; }}"
    )  # nothing moves as pictures come
    text("h1", f"{NAMES[studio.run.config.method]} explorer: {studio.run.folder.path.name}")
    samples = studio.run.samples
    people = sum(number >= 0 for number in studio.people)
    of = counted(len(samples), "picture"), counted(people, "person"), counted(model.step, "step")
    text("p", "{} of {}, {}".format(*of), "faint")
    with ui.tabs().props("no-caps inline-label align=left") as tabs:
        ui.tab("search", "Search")
        if generates:
            ui.tab("codes", "Codes")
    with ui.tab_panels(tabs, value="search", animated=False, keep_alive=True):
        with ui.tab_panel("search"):
            Searching(studio)
        if generates:
            with ui.tab_panel("codes"):
                mixing = Mixing(studio)
            tabs.on_value_change(mixing.refresh)  # G is asked only when its pictures are looked at
