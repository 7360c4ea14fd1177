"""Goes through the plugin in a real window as a user would, and takes the pictures of the docs.

Usage: xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_screenshots.py
       [--stack PATH | --sample relief] [--engine stackmff-v4] [--images docs/images]

Needs napari and a Qt binding. It opens a stack, fuses it, inspects a pixel, paints a
correction, measures heights in 3D, looks at what restoring asks for, saves, and opens what it saved
in another window. It stops with an error where the layers are not the same again, and prints how
long each step took. Look at the pictures after each change of the window.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLUGIN = "napari-gmff"
WINDOW_PX = (1200, 800)
DOCK_PX = 300
MAX_PICTURE_BYTES = 250_000
SAME = ("name", "visible", "rgb", "multiscale", "interpolation2d", "axis_labels", "units")
"""Attributes of layers that saving and opening keep."""

_METADATA_KEY = "gmff"
_WAIT_S = 600.0
_STROKE_STEPS = 12
_BETWEEN_MOVES_MS = 15  # vispy drops moves that follow each other faster than 10 ms
_SETTLE_MS = 300  # thumbnails and plots are drawn when nothing else is to do
_UNKNOWN_SIZES_UM = {"step": 10.0, "pixel": 2.0}


def main() -> None:
    """Read the command line and make the tour."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stack", help="file or folder to open in place of the sample")
    parser.add_argument("--sample", default="relief", help="key of the sample (default: relief)")
    parser.add_argument("--engine", help="default: the one that the dock offers first")
    parser.add_argument("--images", type=Path, default=Path(__file__).parent / "images")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="napari-gmff-tour-") as folder:
        # Decided when napari is imported: the user's own settings must not show in the pictures.
        os.environ["NAPARI_CONFIG"] = str(Path(folder, "settings.yaml"))
        os.environ["NAPARI_GMFF_MODELS"] = str(Path(folder, "models"))
        import napari

        viewer = napari.Viewer()
        viewer.window.resize(*WINDOW_PX)
        tour = Tour(viewer, args.images)
        tour.open(args.stack, args.sample)
        tour.fuse(args.engine)
        tour.inspect()
        tour.correct()
        tour.measure()
        tour.ask_before_restoring()
        again = napari.Viewer()
        tour.save_and_open_again(Path(folder, "fused.ome.zarr"), again)
        for name, seconds in tour.seconds.items():
            print(f"{name:50} {seconds:8.2f} s")
        for window in (viewer, again):
            window.close()


class Tour:
    """The steps of a user, one after the other.

    Parameters
    ----------
    viewer : napari.Viewer
        With a window that is shown.
    images : Path or None
        Folder of the pictures; None takes none.

    Attributes
    ----------
    seconds : dict of str to float
        How long what the user waits for took, in s.
    """

    def __init__(self, viewer: Any, images: Path | None = None) -> None:
        self.viewer = viewer
        self.seconds: dict[str, float] = {}
        self._images = images

    def open(self, path: str | Path | None = None, sample: str = "relief") -> None:
        """Open a file or folder, or a sample where there is none."""
        with self._timed("open"):
            if path is None:
                self.viewer.open_sample(PLUGIN, sample)
            else:
                self.viewer.open(str(path), plugin=PLUGIN)

    def fuse(self, engine: str | None = None) -> None:
        """Press *Fuse* and wait for the layers."""
        dock, widget = self._dock("Fuse focus stack")
        if engine is not None:
            widget.form.set_values({"engine": engine})
        assert widget.panel.fuse.isEnabled(), widget.picker.problems
        with self._timed("estimate of the time, from the opening of the dock"):
            wait_until(lambda: "on this" in widget.picker.words, "the estimate")
        with self._timed("fuse, from the press to the end"):
            widget.panel.fuse.click()
            wait_until(lambda: not widget.runs.is_running, "the fusion")
        wait_until(lambda: "on this" in widget.picker.words, "the estimate for another run")
        self._shoot("fuse")
        self._close(dock)

    def inspect(self, place: tuple[float, float] = (0.40, 0.62)) -> Any:
        """Click a pixel and wait for its focus curve; return what the panel knows of it."""
        dock, widget = self._dock("Focus inspector")
        with self._timed("focus curve, from the click"):
            click(self.viewer, self._world(place))
            wait_until(lambda: widget.pixel.curves is not None, "the focus curve")
        widget.pixel.go.click()
        self._layer("fused").visible = False
        self._shoot("inspect")
        self._layer("fused").visible = True
        curves = widget.pixel.curves
        self._close(dock)
        return curves

    def correct(self) -> int:
        """Paint a stroke with another slice; return the number of pixels it corrected."""
        dock, widget = self._dock("Correct focus map")
        self._layer("fused").visible = False
        widget.start.click()
        wait_until(lambda: widget.session.is_settled, "the Labels layer")
        widget.slice_box.setValue(widget.slice_box.maximum())
        widget.session.layer.brush_size = 24
        drag(self.viewer, self._world((0.30, 0.22)), self._world((0.30, 0.48)))
        with self._timed("correction, from the end of a stroke"):
            wait_until(lambda: widget.session.is_settled, "the correction")
        leave(canvas_of())
        self._shoot("correct")
        self._layer("fused").visible = True
        corrected = widget.session.n_corrected
        self._close(dock)
        return corrected

    def measure(self) -> Any:
        """Draw a line, show the surface in 3D; return the profile of heights."""
        dock, widget = self._dock("Heights in 3D")
        self._enter_unknown_sizes(widget)
        widget.profile.draw.click()
        drag(self.viewer, self._world((0.55, 0.10)), self._world((0.55, 0.90)))
        wait_until(lambda: widget.profile.plot.profile is not None, "the profile")
        with self._timed("surface in 3D, from the press"):
            widget.surface.button.click()
            wait_until(lambda: widget.surface.view.is_shown, "the surface")
        widget.surface.factor.setValue(1.5)
        wait_until(lambda: not widget.is_busy, "the surface")
        self._shoot("surface")
        profile = widget.profile.plot.profile
        widget.surface.button.click()
        wait_until(lambda: not widget.surface.view.is_shown, "2D")
        self._close(dock)
        return profile

    def ask_before_restoring(self) -> Any:
        """Open the dock for restoration, which is off until the user agrees; return the page."""
        dock, widget = self._dock("Restore (generative)")
        wait_until(lambda: widget.shown_page is not None, "the first page")
        page = widget.shown_page
        self._shoot("restore")
        self._close(dock)
        return page

    def save_and_open_again(self, path: Path, other: Any) -> None:
        """Save the result layers, open them in another viewer, and compare."""
        mine = result_layers(self.viewer)
        self.viewer.layers.selection = set(mine)
        with self._timed("save"):
            assert self.viewer.layers.save(str(path), selected=True, plugin=PLUGIN)
        with self._timed("open what was saved"):
            found = other.open(str(path), plugin=PLUGIN)
        compare_layers(mine, found)

    def _dock(self, name: str) -> tuple[QWidget, Any]:
        """Open a dock as its menu does, as narrow as napari's own."""
        dock, widget = self.viewer.window.add_plugin_dock_widget(PLUGIN, name)
        dock.window().resizeDocks([dock], [DOCK_PX], Qt.Orientation.Horizontal)
        QTest.qWait(100)
        self.viewer.reset_view()
        QTest.qWait(100)
        return dock, widget

    def _close(self, dock: QWidget) -> None:
        """Close a dock, as its cross does."""
        self.viewer.window.remove_dock_widget(dock)
        QTest.qWait(20)

    def _enter_unknown_sizes(self, widget: Any) -> None:
        """Enter sizes where the source has none, for photographs."""
        scale = widget.scale.scale()
        if scale is None or not scale.is_known:
            for name, value_um in _UNKNOWN_SIZES_UM.items():
                getattr(widget.scale, name).setValue(value_um)

    def _layer(self, image: str) -> Any:
        return next(
            layer
            for layer in result_layers(self.viewer)
            if layer.metadata[_METADATA_KEY]["image"] == image
        )

    def _world(self, place: tuple[float, float]) -> tuple[float, float]:
        """Return the world position (y, x) of a place given as fractions of the image."""
        (top, left), (bottom, right) = self._layer("fused").extent.world[:, -2:]
        return top + place[0] * (bottom - top), left + place[1] * (right - left)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[what] = time.perf_counter() - start

    def _shoot(self, name: str) -> None:
        if self._images is not None:
            QTest.qWait(_SETTLE_MS)
            picture = self.viewer.screenshot(canvas_only=False, flash=False)
            save_small(picture, self._images / f"{name}.png")


def result_layers(viewer: Any) -> list[Any]:
    """Return the layers that a fusion made, bottom to top."""
    images = ("fused", "focus_index", "depth", "confidence")
    return [
        layer
        for layer in viewer.layers
        if layer.metadata.get(_METADATA_KEY, {}).get("image") in images
    ]


def levels_of(layer: Any) -> list[Any]:
    """Return the pyramid of a layer, finest first; a single level where it has none."""
    return list(layer.data) if layer.multiscale else [layer.data]


def compare_layers(layers: list[Any], others: list[Any]) -> None:
    """Check that layers are the same: names, looks, pixels, place, units and record.

    Raises
    ------
    AssertionError
        At the first difference.
    """
    assert [one.name for one in layers] == [other.name for other in others]
    for one, other in zip(layers, others, strict=True):
        for attribute in SAME:
            assert getattr(one, attribute) == getattr(other, attribute), (one.name, attribute)
        np.testing.assert_allclose(one.affine.affine_matrix, other.affine.affine_matrix)
        np.testing.assert_allclose(one.scale, other.scale, err_msg=one.name)
        np.testing.assert_allclose(one.translate, other.translate, err_msg=one.name)
        for level, other_level in zip(levels_of(one), levels_of(other), strict=True):
            np.testing.assert_array_equal(level, other_level, err_msg=one.name, strict=True)
        facts, others_facts = one.metadata[_METADATA_KEY], other.metadata[_METADATA_KEY]
        for key in ("image", "channel", "provenance"):
            assert facts[key] == others_facts[key], (one.name, key)


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = _WAIT_S) -> None:
    """Let the window live until something is so.

    Raises
    ------
    TimeoutError
        If it never is.
    """
    end = time.perf_counter() + seconds
    while not is_so():
        if time.perf_counter() > end:
            raise TimeoutError(f"{what} did not come within {seconds:g} s")
        QTest.qWait(5)


def click(viewer: Any, world: tuple[float, float]) -> None:
    """Click a world position (y, x)."""
    canvas = canvas_of()
    point = canvas_point(viewer, canvas, world)
    _move(canvas, point, Qt.MouseButton.NoButton)
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=point)


def drag(viewer: Any, start: tuple[float, float], stop: tuple[float, float]) -> None:
    """Press at a world position (y, x), move to another one, and let go."""
    canvas = canvas_of()
    first, last = (canvas_point(viewer, canvas, place) for place in (start, stop))
    _move(canvas, first, Qt.MouseButton.NoButton)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=first)
    for step in range(1, _STROKE_STEPS + 1):
        QTest.qWait(_BETWEEN_MOVES_MS)
        _move(canvas, first + (last - first) * (step / _STROKE_STEPS), Qt.MouseButton.LeftButton)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=last)


def leave(canvas: QWidget) -> None:
    """Take the pointer off the canvas, over its edge, as on the way to a dock."""
    _move(canvas, QPoint(canvas.width() - 2, canvas.height() // 2), Qt.MouseButton.NoButton)
    QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))


def canvas_of() -> QWidget:
    """Return the widget that napari draws on, as a user finds it: by looking."""
    widgets = (
        widget
        for window in QApplication.topLevelWidgets()
        for widget in window.findChildren(QWidget)
    )
    return next(
        widget
        for widget in widgets
        if type(widget).__name__.startswith("CanvasBackend") and widget.isVisible()
    )


def canvas_point(viewer: Any, canvas: QWidget, world: tuple[float, float]) -> QPoint:
    """Return where on the canvas a world position (y, x) is seen in 2D."""
    camera = viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera
    y, x = (np.asarray(world) - np.asarray(camera.center[-2:])) * camera.zoom
    return QPoint(round(canvas.width() / 2 + x), round(canvas.height() / 2 + y))


def save_small(picture: NDArray[np.uint8], path: Path) -> None:
    """Write a picture with as many colours as its size in bytes allows.

    Parameters
    ----------
    picture : ndarray, (Y, X, 4), uint8
        RGBA.
    path : Path
        PNG to write.
    """
    image = Image.fromarray(picture[..., :3])
    for n_colours in (256, 128, 64, 32, 16):
        packed = BytesIO()
        image.quantize(n_colours, dither=Image.Dither.NONE).save(packed, "png", optimize=True)
        if packed.tell() <= MAX_PICTURE_BYTES:
            break
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed.getvalue())


def _move(canvas: QWidget, to: QPoint, buttons: Qt.MouseButton) -> None:
    """Move the pointer; Qt's own helper would stop it at the edge of a small screen."""
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(to),
        QPointF(canvas.mapToGlobal(to)),
        Qt.MouseButton.NoButton,
        buttons,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(canvas, event)


if __name__ == "__main__":
    main()
