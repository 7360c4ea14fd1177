"""Two small pictures of a pixel's surroundings: as fused, and as another slice has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_gmff._napari.common.colors import MARK_COLOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image
    from numpy.typing import NDArray

_SIDE_PX = 120


class PatchView(QWidget):
    """Shows the surroundings of a pixel twice, in the colours of the fused layers."""

    def __init__(self) -> None:
        super().__init__()
        self._pictures = (QLabel(), QLabel())
        self._captions = (QLabel("as fused"), QLabel())
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for column, (picture, caption) in enumerate(
            zip(self._pictures, self._captions, strict=True)
        ):
            caption.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            picture.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            layout.addWidget(picture, 0, column)
            layout.addWidget(caption, 1, column)
        self.hide()

    @property
    def captions(self) -> tuple[str, str]:
        """What stands under the pictures."""
        left, right = self._captions
        return left.text(), right.text()

    @property
    def pixmaps(self) -> tuple[QPixmap, QPixmap]:
        """The pictures as they are shown."""
        left, right = self._pictures
        return left.pixmap(), right.pixmap()

    def show_parts(
        self,
        parts: tuple[NDArray[Any], NDArray[Any]],
        at_yx: tuple[int, int],
        caption: str,
        layers: Sequence[Image],
    ) -> None:
        """Show two parts of the same place.

        Parameters
        ----------
        parts : tuple of ndarray, (C, h, w)
            As fused, and of a slice.
        at_yx : tuple of int
            The pixel that is marked, row and column in the parts.
        caption : str
            Under the second.
        layers : sequence of napari.layers.Image
            Those of the fused image, whose colours are used.
        """
        for picture, part in zip(self._pictures, parts, strict=True):
            picture.setPixmap(_marked(_pixmap(as_colors(part, layers)), part.shape[1:], at_yx))
        self._captions[1].setText(caption)
        self.show()


def as_colors(part: NDArray[Any], layers: Sequence[Image]) -> NDArray[np.uint8]:
    """Colour a part of an image as its layers do.

    Parameters
    ----------
    part : ndarray, (C, h, w)
        Intensities.
    layers : sequence of napari.layers.Image
        One for each channel, or a single one for colour samples.

    Returns
    -------
    ndarray, (h, w, 3), uint8
    """
    if len(layers) == 1 and layers[0].rgb:
        samples = np.moveaxis(part[:3], 0, -1)
        return samples.astype(np.uint8) if samples.dtype == np.uint8 else _eight_bit(samples)
    total = np.zeros((*part.shape[1:], 3))
    for plane, layer in zip(part, layers, strict=False):
        low, high = layer.contrast_limits
        seen = np.clip((plane.astype(np.float64) - low) / ((high - low) or 1.0), 0, 1)
        seen = np.nan_to_num(seen) ** layer.gamma
        total += layer.colormap.map(seen.ravel())[:, :3].reshape(total.shape)
    return (np.clip(total, 0, 1) * 255).astype(np.uint8)


def _eight_bit(samples: NDArray[Any]) -> NDArray[np.uint8]:
    high = np.iinfo(samples.dtype).max if samples.dtype.kind in "ui" else 1.0
    return (np.clip(samples / high, 0, 1) * 255).astype(np.uint8)


def _pixmap(colors: NDArray[np.uint8]) -> QPixmap:
    height, width = colors.shape[:2]
    data = np.ascontiguousarray(colors).tobytes()
    image = QImage(data, width, height, 3 * width, QImage.Format.Format_RGB888)
    # From the image a copy is made before its bytes go.
    return QPixmap.fromImage(image).scaled(_SIDE_PX, _SIDE_PX, Qt.AspectRatioMode.KeepAspectRatio)


def _marked(pixmap: QPixmap, shape_yx: tuple[int, ...], at_yx: tuple[int, int]) -> QPixmap:
    """Draw a square round a pixel."""
    zoom_y, zoom_x = pixmap.height() / shape_yx[0], pixmap.width() / shape_yx[1]
    painter = QPainter(pixmap)
    painter.setPen(QPen(QColor(MARK_COLOR), 2))
    y, x = at_yx
    painter.drawRect(QRectF(x * zoom_x - 1, y * zoom_y - 1, zoom_x + 2, zoom_y + 2))
    painter.end()
    return pixmap
