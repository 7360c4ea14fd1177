"""Writes the depth map as a mesh file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_gmff._napari.common.background import Background
from napari_gmff._napari.common.notices import show_failure
from napari_gmff._napari.common.words import Words, with_mnemonic
from napari_gmff._napari.heights.fused_picture import ChannelLook, looks_of
from napari_gmff._napari.heights.height_map import HeightMap, export_mesh

if TYPE_CHECKING:
    from napari_gmff._napari.layers.saved_fusions import Fusion

_KINDS = {
    ".stl": ("Save STL…", "STL (*.stl)", "Triangles in µm, for 3D printing and CAD."),
    ".ply": ("Save PLY…", "PLY (*.ply)", "Triangles in µm with the colours of the fused image."),
}


class MeshPanel(QWidget):
    """Buttons that save the true heights as STL or PLY.

    Parameters
    ----------
    used_letters : set of str
        Mnemonics that are taken; those of this panel are added.
    """

    def __init__(self, used_letters: set[str]) -> None:
        super().__init__()
        self._set: Fusion | None = None
        self._heights: HeightMap | None = None
        self._rises = True
        self._writer = Background(self)
        self._words = Words()
        self.buttons = {}
        row = QHBoxLayout()
        for suffix, (title, _, tip) in _KINDS.items():
            button = QPushButton(with_mnemonic(title, used_letters))
            button.setToolTip(f"<qt>{tip} Heights are true: not exaggerated, not smoothed.</qt>")
            button.clicked.connect(lambda _=False, suffix=suffix: self.save(suffix))
            row.addWidget(button, 1)
            self.buttons[suffix] = button
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self._words)
        self._writer.answered.connect(self._on_written)
        self._writer.failed.connect(self._on_failed)
        self._update()

    @property
    def words(self) -> str:
        """What is going on, or what is missing."""
        return self._words.words

    @property
    def is_busy(self) -> bool:
        """Whether a file is being written."""
        return self._writer.is_busy

    def use(self, result_set: Fusion | None, heights: HeightMap | None, *, rises: bool) -> None:
        """Write other heights from now on, or none; larger z may be higher or lower."""
        self._set, self._heights, self._rises = result_set, heights, rises
        self._update()

    def save(self, suffix: str) -> None:
        """Ask for a name, and write the mesh there in a thread."""
        if self._set is None or self._heights is None:
            return
        _, kind, _ = _KINDS[suffix]
        suggested = f"{self._set.name} surface{suffix}"
        path, _ = QFileDialog.getSaveFileName(self, "Save surface", suggested, kind)
        if not path:
            return
        # The dialog has asked about the very name that it gave, and about no other.
        is_asked = path.lower().endswith(suffix)
        target = Path(path if is_asked else f"{path}{suffix}")
        self._writer.ask(
            _written, self._heights, looks_of(self._set), target, self._rises, is_asked
        )
        self._update()

    def _update(self) -> None:
        is_known = self._heights is not None and self._heights.scale.is_known
        for button in self.buttons.values():
            button.setEnabled(is_known and not self.is_busy)
        if self.is_busy:
            self._words.say("Writing the mesh …")
        elif self._heights is not None and not is_known:
            self._words.say("A mesh is written in µm: enter the sizes above.")
        else:
            self._words.say("")

    def _on_written(self, path: Path) -> None:
        self._update()
        show_info(f"Saved {path}")

    def _on_failed(self, error: Exception) -> None:
        self._update()
        show_failure(error)


def _written(
    heights: HeightMap,
    looks: tuple[ChannelLook, ...],
    path: Path,
    rises: bool,
    overwrite: bool,
) -> Path:
    return export_mesh(heights, looks, path, rises=rises, overwrite=overwrite)
