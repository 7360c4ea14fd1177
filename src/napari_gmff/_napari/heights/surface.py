"""The dock widget "Heights in 3D": depth as a surface, along a line, and as a mesh file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QGroupBox,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_gmff._napari.common.connections import Connections
from napari_gmff._napari.common.field_editors import quiet_wheel
from napari_gmff._napari.common.real_viewer import real_viewer
from napari_gmff._napari.common.words import Words, with_mnemonic
from napari_gmff._napari.heights.height_map import HeightMap
from napari_gmff._napari.heights.mesh_panel import MeshPanel
from napari_gmff._napari.heights.profile_panel import ProfilePanel
from napari_gmff._napari.heights.scale_fields import ScaleFields
from napari_gmff._napari.heights.surface_panel import SurfacePanel
from napari_gmff._napari.layers.one_choice import why_no_one_choice
from napari_gmff._napari.layers.set_picker import SetPicker

if TYPE_CHECKING:
    import napari.viewer

    from napari_gmff._napari.layers.saved_fusions import Fusion

_NOTHING = "Fuse a stack, or open a saved fusion: its depth becomes heights here."
_TIP_CONFIDENCE = (
    "Pixels whose confidence is lower have no height: they are holes in the surface and in files, "
    "and gaps in profiles. 0 keeps all."
)


class SurfaceWidget(QWidget):
    """Shows and measures the heights of a fusion.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose fusions are offered.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        viewer = self._viewer = real_viewer(viewer)
        self._set: Fusion | None = None
        self._time = 0
        # napari itself moves camera and sliders when it goes back to 2D; that must be done first.
        self._after_napari = QTimer(self)
        self._after_napari.setSingleShot(True)
        letters: set[str] = set()
        self._connections = Connections(self)
        self.picker = SetPicker(viewer, letters, self._connections, with_saved=True)
        self._words = Words()
        self.scale = ScaleFields(letters)
        self.least_confidence = QDoubleSpinBox()
        self.surface = SurfacePanel(viewer, letters)
        self.profile = ProfilePanel(viewer, letters)
        self.mesh = MeshPanel(letters)
        self._lay_out(letters)
        self._connect()
        self._on_picked(self.picker.result_set)

    @property
    def words(self) -> str:
        """What is known of the heights, in words."""
        return self._words.words

    @property
    def is_busy(self) -> bool:
        """Whether anything is being made, measured or written."""
        return self.surface.is_busy or self.profile.is_busy or self.mesh.is_busy

    def event(self, event: QEvent) -> bool:
        """Put the viewer back into 2D when the dock is closed."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.surface.leave()
        return bool(super().event(event))

    def heights(self) -> HeightMap | None:
        """Return the heights that are shown, measured and written; None without a fusion."""
        scale = self.scale.scale()
        if self._set is None or scale is None:
            return None
        least = self.least_confidence.value()
        return HeightMap(self._set.images, self._time, scale, least)

    def _lay_out(self, letters: set[str]) -> None:
        self.least_confidence.setRange(0, 1)
        self.least_confidence.setSingleStep(0.05)
        self.least_confidence.setSpecialValueText("keep all")
        self.least_confidence.setKeyboardTracking(False)
        self.least_confidence.setAccessibleName("Least confidence")
        quiet_wheel(self.least_confidence)
        label = QLabel(with_mnemonic("Least confidence", letters))
        label.setBuddy(self.least_confidence)
        for widget in (label, self.least_confidence):
            widget.setToolTip(f"<qt>{_TIP_CONFIDENCE}</qt>")
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(label, self.least_confidence)
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(6, 6, 6, 6)
        for widget in (self.picker, self._words, self.scale):
            layout.addWidget(widget)
        layout.addLayout(form)
        layout.addWidget(_boxed("Surface in 3D", self.surface))
        layout.addWidget(_boxed("Heights along a line", self.profile))
        layout.addWidget(_boxed("Mesh file", self.mesh))
        layout.addStretch(1)
        area = QScrollArea()
        area.setWidget(content)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)

    def _connect(self) -> None:
        viewer, view = self._viewer, self.surface.view
        add = self._connections.add
        add(viewer.dims.events.point, self._on_moved)
        add(viewer.dims.events.ndisplay, self._on_ndisplay)
        add(viewer.layers.events.removed, view.on_removed)
        add(viewer.layers.events.removed, self.profile.line.on_removed)
        self._after_napari.timeout.connect(view.on_ndisplay)
        self.picker.picked.connect(self._on_picked)
        self.scale.changed.connect(self._renew)
        self.profile.about_to_draw.connect(self.surface.leave)
        self.least_confidence.valueChanged.connect(lambda _: self._renew())
        self.surface.rising.currentIndexChanged.connect(lambda _: self._renew_mesh())

    def _on_picked(self, picked: Fusion | None) -> None:
        result_set = None if why_no_one_choice(picked) else picked
        if self._set is not None:
            self._set.corrected.disconnect(self._on_corrected)
        self._set = result_set
        if result_set is not None:
            result_set.corrected.connect(self._on_corrected)
        self._time = self._time_shown()
        self.scale.use(result_set)
        self._renew()

    def _renew(self) -> None:
        """Show, measure and write other heights from now on."""
        heights = self.heights()
        self.least_confidence.setEnabled(heights is not None)
        why = why_no_one_choice(self.picker.result_set) or _NOTHING
        self._words.say(why if self._set is None else _in_words(self._set))
        self.surface.use(self._set, heights)
        self.profile.use(self._set, heights)
        self._renew_mesh()

    def _renew_mesh(self) -> None:
        self.mesh.use(self._set, self.heights(), rises=self.surface.rises)

    def _on_corrected(self, time: int, place: object) -> None:
        del place
        if time == self._time:
            self.surface.refresh()
            self.profile.measure()

    def _on_ndisplay(self, event: object = None) -> None:
        self._after_napari.start()

    def _on_moved(self, event: object = None) -> None:
        time = self._time_shown()
        if time != self._time:
            self._time = time
            self._renew()

    def _time_shown(self) -> int:
        """Return the time point of the fusion that the slider shows, from 0."""
        layer = None if self._set is None else self._set.any_layer()
        if self._set is None or layer is None:
            return 0
        n_times = self._set.images.specs["depth"].n_times
        if n_times == 1:
            return 0
        shown = layer.world_to_data(self._viewer.dims.point)[0]
        return int(np.clip(np.rint(shown), 0, n_times - 1))


def _boxed(title: str, widget: QWidget) -> QGroupBox:
    box = QGroupBox(title)
    layout = QVBoxLayout(box)
    layout.setContentsMargins(6, 6, 6, 6)
    layout.addWidget(widget)
    return box


def _in_words(result_set: Fusion) -> str:
    z_um: Any = result_set.result.z_positions
    if z_um is None:
        numbers = result_set.result.provenance["slices"]["numbers"]
        return f"Depth is in slices, from {numbers[0]} to {numbers[-1]}."
    return f"Depth is z in µm, from {z_um.min():.4g} to {z_um.max():.4g} µm."
