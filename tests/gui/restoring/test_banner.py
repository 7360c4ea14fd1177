"""The banner can be read in every theme, and does not widen the dock."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_gmff._napari.restoring.banner import AMBER, INK, Banner
from napari_gmff.marks import BANNER


def luminance(color: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = np.array([int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_the_words_stand_out_from_the_amber():
    contrast = (luminance(AMBER) + 0.05) / (luminance(INK) + 0.05)
    assert contrast > 7, "less is hard to read for many"


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_theme_of_the_viewer_does_not_change_it(make_napari_viewer, qtbot, theme):
    viewer = make_napari_viewer(show=True)
    viewer.theme = theme
    banner = Banner()
    viewer.window.add_dock_widget(banner, name="banner")
    qtbot.waitUntil(banner.isVisible)
    qtbot.wait(50)
    picture = banner.grab().toImage()
    colors = {
        picture.pixelColor(x, y).name()
        for x in range(0, picture.width(), 2)
        for y in range(4, picture.height() - 4)
    }
    assert AMBER in colors
    assert min(map(luminance, colors)) < 0.02, "no dark letter on it"


def test_it_wraps_in_a_narrow_dock(qtbot):
    box = QWidget()
    qtbot.addWidget(box)
    QVBoxLayout(box).addWidget(banner := Banner())
    box.resize(220, 300)
    box.show()
    qtbot.waitExposed(box)
    assert banner.text() == BANNER
    assert banner.width() <= 220
    assert banner.height() > 2 * banner.fontMetrics().lineSpacing()
