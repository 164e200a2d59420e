"""The half of the page that mixes the codes of two pictures and shows what G makes of them."""

from typing import Any

import numpy as np
from nicegui import ui

from hicmd_tf.explorer.parts import Latest, Picker, address, inline, picture, redraw, text
from hicmd_tf.explorer.studio import SWAPS, Mixture, Studio
from hicmd_tf.notation import INFRARED, VISIBLE

Array = np.ndarray[Any, Any]

MEANING = {
    "prototype": "shape and pattern",
    "style": "clothes",
    "pose": "stance and view",
    "illumination": "light and camera",
}
STEP = 0.05  # of a slider
THROTTLE = 0.05  # seconds between two of its positions that are reported


class Mixing:
    """Two pictures A and B, a slider for each part of their codes, and the generated picture between them."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        a, samples = studio.rows(VISIBLE)[0], studio.run.samples
        same = studio.rows(INFRARED, int(samples.identities[a])) if samples.known[a] else []
        self._rows = {"A": a, "B": (same or studio.rows(INFRARED))[0]}  # one person, where both modalities show it
        self._shares = Mixture()._asdict()
        self._latest = Latest(lambda wanted: studio.mixed(*wanted), self._show)
        with ui.element("section").classes("panel mixing"):
            text("h2", "Codes from A to B")
            with ui.element("div").classes("three"):
                self._chosen_picture("A")
                with ui.element("figure"):
                    self._generated = picture(address(a), "generated picture, not made yet")
                    text("figcaption", "generated")
                self._chosen_picture("B")
            self._sliders = {part: self._slider(part) for part in Mixture._fields}
            with ui.element("div").classes("line buttons"):
                for label, mixture in SWAPS.items():
                    ui.button(label, on_click=lambda m=mixture: self._set(m)).props("outline no-caps")

    def _chosen_picture(self, which: str) -> None:
        with ui.dialog() as dialog, ui.card().classes("chooser"):
            text("h2", f"Picture {which}")

            async def choose(row: int) -> None:
                self._rows[which] = row
                describe()
                dialog.close()
                await self.refresh()

            Picker(self._studio, choose)
            ui.button("cancel", on_click=dialog.close).props("flat no-caps")
        with ui.element("figure"):
            image, caption = ui.element("img"), text("figcaption", "")
            ui.button(f"choose {which}", on_click=dialog.open).props("flat no-caps dense")

        def describe() -> None:
            words = f"{which}: {self._studio.words(self._rows[which])}"
            redraw(image, address(self._rows[which]), f"picture {words}")
            caption.text = words

        describe()

    def _slider(self, part: str) -> ui.element:
        """The browser's own slider from 0 to 1, which keys move and screen readers name. The browser keeps its value:
        what comes back from here must not pull at a slider that is held."""
        with ui.element("div").classes("ends"):
            text("span", "A", "faint")
            text("span", f"{part}: {MEANING[part]}")
            text("span", "B", "faint")
        slider, label = ui.element("input"), f"{part}, from A to B"
        slider.props.update({"type": "range", "min": 0, "max": 1, "step": STEP, "^value": 0, "aria-label": label})

        async def slid(event: Any) -> None:
            self._shares[part] = min(max(float(event.args), 0.0), 1.0)
            await self.refresh()

        slider.on("input", slid, js_handler="(event) => emit(event.target.valueAsNumber)", throttle=THROTTLE)
        return slider

    async def _set(self, mixture: Mixture) -> None:
        self._shares = mixture._asdict()
        for part, share in self._shares.items():
            ui.run_javascript(f"getHtmlElement({self._sliders[part].id}).value = {share}")
        await self.refresh()

    async def refresh(self) -> None:
        """Has the picture made that the sliders ask for."""
        self._generated.props["aria-busy"] = "true"
        await self._latest.ask((self._rows["A"], self._rows["B"], Mixture(**self._shares)))

    def _show(self, wanted: tuple[int, int, Mixture], pixels: Array) -> None:
        if not self._generated.is_deleted:
            shares = ", ".join(f"{part} {share:.2f}" for part, share in wanted[2]._asdict().items())
            self._generated.props["aria-busy"] = "false"
            redraw(self._generated, inline(pixels), f"generated from A to B: {shares}")
