"""Controls of the 3D view of a depth map."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_gmff._napari.common.field_editors import narrow, quiet_wheel
from napari_gmff._napari.common.newest import Newest
from napari_gmff._napari.common.notices import show_failure
from napari_gmff._napari.common.words import Words, with_mnemonic
from napari_gmff._napari.heights.fused_picture import looks_of
from napari_gmff._napari.heights.height_map import HeightMap, ShownSurface, shown_surface
from napari_gmff._napari.heights.surface_view import SurfaceView
from napari_gmff.errors import GmffError

if TYPE_CHECKING:
    import napari.viewer

    from napari_gmff._napari.layers.saved_fusions import Fusion

MAX_EXAGGERATION = 50.0
THROTTLE_MS = 40
"""Between two steps of the surface while the slider moves."""

_SLIDER_STEPS = 200


class SurfacePanel(QWidget):
    """Shows the heights of a fusion as a surface in 3D, and goes back to 2D.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Shows the surface.
    used_letters : set of str
        Mnemonics that are taken; those of this panel are added.
    """

    def __init__(self, viewer: napari.viewer.Viewer, used_letters: set[str]) -> None:
        super().__init__()
        self.view = SurfaceView(viewer)
        self._set: Fusion | None = None
        self._heights: HeightMap | None = None
        self._maker = Newest(self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(THROTTLE_MS)
        self._titles = (with_mnemonic("Show in 3D", used_letters), "Back t&o 2D")
        self.button = QPushButton(self._titles[0])
        self.factor = QDoubleSpinBox()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.coloring, self.rising = QComboBox(), QComboBox()
        self.lit = QCheckBox(with_mnemonic("Light and shadow", used_letters))
        self.smoothing = QSpinBox()
        self._words, self._problem = Words(), Words("problem")
        self._set_up()
        self._lay_out(used_letters)
        self._connect()

    @property
    def words(self) -> str:
        """What the panel says of the surface."""
        return self._words.words

    @property
    def problem(self) -> str:
        """Why there is no surface, in words."""
        return self._problem.words

    @property
    def is_busy(self) -> bool:
        """Whether a surface is being made."""
        return self._maker.is_busy

    @property
    def rises(self) -> bool:
        """Whether larger z is higher."""
        return self.rising.currentIndex() == 0

    def use(self, result_set: Fusion | None, heights: HeightMap | None) -> None:
        """Show another fusion, or other heights of the same one; none goes back to 2D."""
        self._set, self._heights = result_set, heights
        self.button.setEnabled(heights is not None)
        self._problem.say("")
        if heights is None:
            self.leave()
        else:
            self.refresh()

    def refresh(self) -> None:
        """Make the surface again, if one is wanted."""
        if self.button.isChecked() and self._set is not None and self._heights is not None:
            looks = looks_of(self._set)
            self._words.say("Making the surface …")
            self._maker.ask(_made, self._set, self._heights, looks, float(self.smoothing.value()))

    def leave(self) -> None:
        """Go back to 2D."""
        self._maker.forget()
        self.view.leave()
        self._on_left()

    def _set_up(self) -> None:
        self.button.setCheckable(True)
        self.button.setEnabled(False)
        self.factor.setRange(1, MAX_EXAGGERATION)
        self.factor.setDecimals(1)
        self.factor.setSuffix(" ×")
        self.factor.setKeyboardTracking(False)
        self.factor.setMaximumWidth(100)
        self.slider.setRange(0, _SLIDER_STEPS)
        self.slider.setPageStep(_SLIDER_STEPS // 10)
        self.slider.setAccessibleName("Height exaggeration, slider")
        self.coloring.addItem("fused image", "fused")
        self.coloring.addItem("depth in colours", "depth")
        self.rising.addItems(["higher", "lower"])
        self.smoothing.setRange(0, 50)
        self.smoothing.setSuffix(" px")
        self.smoothing.setSpecialValueText("off")
        self.smoothing.setKeyboardTracking(False)
        for box in (self.coloring, self.rising):
            narrow(box)
        for box in (self.factor, self.smoothing):
            quiet_wheel(box)

    def _lay_out(self, used_letters: set[str]) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.button)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        layout.addLayout(form)
        heights = QHBoxLayout()
        heights.addWidget(self.slider, 1)
        heights.addWidget(self.factor)
        rows = (
            ("Heights", heights, self.factor, _TIP_FACTOR),
            ("Shown on it", self.coloring, self.coloring, _TIP_COLORING),
            ("Larger z is", self.rising, self.rising, _TIP_RISING),
            ("Smooth view", self.smoothing, self.smoothing, _TIP_SMOOTHING),
        )
        for title, field, editor, tip in rows:
            label = QLabel(with_mnemonic(title, used_letters))
            label.setBuddy(editor)
            editor.setAccessibleName(title)
            for widget in (label, editor, *([self.slider] if field is heights else [])):
                widget.setToolTip(f"<qt>{tip}</qt>")
            form.addRow(label, field)
        form.addRow(self.lit)
        layout.addWidget(self._words)
        layout.addWidget(self._problem)
        self.button.setToolTip(f"<qt>{_TIP_BUTTON}</qt>")
        self.lit.setToolTip(f"<qt>{_TIP_LIT}</qt>")

    def _connect(self) -> None:
        self.button.toggled.connect(self._on_toggled)
        self.slider.valueChanged.connect(self._on_slider)
        self.factor.valueChanged.connect(self._on_factor)
        self.coloring.currentIndexChanged.connect(
            lambda _: self.view.set_coloring(self.coloring.currentData())
        )
        self.rising.currentIndexChanged.connect(lambda _: self.view.set_rising_towards(self.rises))
        self.lit.toggled.connect(self.view.set_lit)
        self.smoothing.valueChanged.connect(lambda _: self.refresh())
        self._timer.timeout.connect(lambda: self.view.set_exaggeration(self.factor.value()))
        self._maker.answered.connect(self._on_made)
        self._maker.failed.connect(self._on_failed)
        self.view.left.connect(self._on_left)

    def _on_toggled(self, is_wanted: bool) -> None:
        self.button.setText(self._titles[is_wanted])
        if is_wanted:
            self.refresh()
        else:
            self.leave()

    def _on_slider(self, place: int) -> None:
        factor = MAX_EXAGGERATION ** (place / _SLIDER_STEPS)
        self.factor.setValue(round(factor, 1))

    def _on_factor(self, factor: float) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(round(_SLIDER_STEPS * math.log(factor) / math.log(MAX_EXAGGERATION)))
        self.slider.blockSignals(False)
        if not self._timer.isActive():
            self._timer.start()
        self._say()

    def _on_made(self, made: tuple[Fusion, HeightMap, ShownSurface]) -> None:
        result_set, heights, shown = made
        if result_set is not self._set or not self.button.isChecked():
            return
        try:
            self.view.set_exaggeration(self.factor.value())
            self.view.show(result_set, heights.scale, shown)
        except GmffError as error:
            self._on_failed(error)
            return
        self._problem.say("")
        self._say()

    def _on_failed(self, error: Exception) -> None:
        self.leave()
        if not isinstance(error, GmffError):
            show_failure(error)
        self._problem.say(str(error))

    def _on_left(self) -> None:
        self.button.setChecked(False)
        self._say()

    def _say(self) -> None:
        if not self.view.is_shown or self._heights is None:
            self._words.say("")
        elif not self._heights.scale.is_known:
            self._words.say("Heights and lengths are not to scale: their sizes in µm are unknown.")
        elif self.factor.value() > 1:
            self._words.say(f"Heights are drawn {self.factor.value():g} times too high.")
        else:
            self._words.say("Heights and lengths are to scale.")


def _made(
    result_set: Fusion, heights: HeightMap, looks: tuple, smoothing_px: float
) -> tuple[Fusion, HeightMap, ShownSurface]:
    return result_set, heights, shown_surface(heights, looks, smoothing_px)


_TIP_BUTTON = (
    "Shows the depth map as a surface with the fused image on it. Drag to turn it, scroll to come "
    "closer. Other layers are hidden until you go back to 2D."
)
_TIP_FACTOR = (
    "How many times too high heights are drawn; 1 is to scale. Only the picture changes: depth, "
    "profiles and files keep the true heights."
)
_TIP_COLORING = "What the surface is painted with."
_TIP_RISING = (
    "Whether slices with a larger z lie higher. Microscopes differ; if hills look like pits, "
    "change it. Meshes are written the same way up."
)
_TIP_SMOOTHING = (
    "Smooths the surface on screen, for the eye alone. Depth, profiles and files are never "
    "smoothed."
)
_TIP_LIT = "Lights the surface. Its colours are then no longer those of the image."
