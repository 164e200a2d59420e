"""The half of the page that looks a picture up among those of the other modality."""

import asyncio

from nicegui import events, ui

from hicmd_tf.errors import UserError, counted
from hicmd_tf.explorer.parts import Latest, Picker, address, inline, modality_toggle, picture, text
from hicmd_tf.explorer.studio import Hit, Ranking, Studio
from hicmd_tf.notation import Modality, other
from hicmd_tf.pictures.bounds import FORMATS

SHOWN = 10
WIDE = 900  # pixels from which on there is room for two columns, as style.css has it
LARGEST_BYTES = 20 << 20  # less than of a file of one's own, as it comes by the browser and is held twice
VERDICTS = {True: ("right", "✓ right"), False: ("wrong", "✗ wrong"), None: ("unknown", "? unknown")}
REFUSED = f"the file was not taken, expected a {', '.join(FORMATS)} of at most {LARGEST_BYTES >> 20} MiB"


class Searching:
    """A query, chosen or handed in, and its ranked list."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        latest = Latest(studio.search, self._show_row)
        with ui.element("div").classes("columns"):
            with ui.element("section").classes("panel"):
                text("h2", "Query")
                Picker(studio, latest.ask)
                self._offer_upload()
            self._results = ui.element("section").classes("panel")
        with self._results:
            text("h2", "Ranked list")
            text("p", "Choose a query: pictures of the other modality appear here, most similar first.", "faint")

    def _offer_upload(self) -> None:
        text("h2", "Or a picture of your own")
        text("p", "Say whether it is visible or infrared, then choose the file.", "faint")
        with ui.element("div").classes("line"):
            self._own = modality_toggle("modality of your own picture", lambda: choose.enable(), None)
            self._uploader = ui.upload(
                on_upload=self._take, on_rejected=self._refuse, max_file_size=LARGEST_BYTES, auto_upload=True
            )
            self._uploader.props('accept=".png,.jpg,.jpeg,.bmp" no-thumbnails').classes("uploader")
            choose = ui.button("choose a file").props("no-caps unelevated text-color=onaccent")
            choose.disable()  # nobody but the user knows what a picture is
            choose.on("click", js_handler=f"() => getElement({self._uploader.id}).$refs.qRef.pickFiles()")
        self._alert = text("p", "", "alert").props("role=alert")

    def _refuse(self) -> None:
        self._alert.text = REFUSED

    async def _take(self, event: events.UploadEventArguments) -> None:
        self._uploader.reset()
        self._alert.text = ""
        try:
            pixels = await asyncio.to_thread(self._studio.opened, await event.file.read())
            ranking = await asyncio.to_thread(self._studio.search_upload, pixels, self._own.value)
        except UserError as error:
            self._alert.text = f"{event.file.name}: {error}"
            return
        self._show(inline(pixels), [event.file.name, f"your own picture, {self._own.value}"], self._own.value, ranking)

    def _show_row(self, row: int, ranking: Ranking) -> None:
        self._alert.text = ""
        samples = self._studio.run.samples
        name = samples.names[row].encode("utf-8", "replace").decode()  # without what no text may hold
        self._show(address(row), [self._studio.words(row), name], samples.modality(row), ranking)

    def _show(self, source: str, known: list[str], modality: Modality, ranking: Ranking) -> None:
        if self._results.is_deleted:
            return
        self._results.clear()
        with self._results:
            text("h2", "Ranked list")
            with ui.element("figure").classes("query"):
                picture(source, f"query: {known[0]}")
                with ui.element("figcaption"):
                    for words in known:
                        text("p", words)
                    among = f"among {counted(len(ranking.hits), f'{other(modality)} picture')}"
                    text("p", f"{summary(ranking)}, {among}").props("role=status")
                    if self._studio.marks:
                        text("p", self._studio.marks, "faint")
            self._list(ranking)
        ui.run_javascript(f"if (innerWidth < {WIDE}) getHtmlElement({self._results.id}).scrollIntoView()")

    def _list(self, ranking: Ranking) -> None:
        hits, left = ui.element("ol").classes("hits").props("role=list"), list(enumerate(ranking.hits, 1))

        def more() -> None:
            with hits:
                for rank, hit in left[:SHOWN]:
                    self._hit(rank, hit)
            del left[:SHOWN]
            button.set_visibility(bool(left))

        button = ui.button(f"{SHOWN} more", on_click=more).props("flat no-caps")
        more()

    def _hit(self, rank: int, hit: Hit) -> None:
        kind, verdict = VERDICTS[hit.right]
        samples = self._studio.run.samples
        with ui.element("li").classes(f"hit {kind}"), ui.element("figure"):
            picture(address(hit.row), f"rank {rank}: {self._studio.words(hit.row)}")
            with ui.element("figcaption"):
                text("div", f"{rank}: {verdict}", "verdict")
                text("div", f"cosine {hit.similarity:.3f}" + (f", {hit.mark}" if hit.mark else ""))
                text("div", f"person {samples.identity(hit.row)}, camera {samples.camera(hit.row)}", "faint")


def summary(ranking: Ranking) -> str:
    """The query's own figures in words."""
    if ranking.first is None:
        return "No right one is known"
    return f"First right one at rank {ranking.first}, average precision {ranking.average_precision:.3f}"
