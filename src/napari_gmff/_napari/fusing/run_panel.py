"""The buttons that start and stop a fusion, and how far it is."""

from __future__ import annotations

from napari_gmff._napari.common.start_panel import StartLabels, StartPanel

FUSING = StartLabels(
    start="Fuse",
    start_tip="Fuse the whole stack, or the region chosen above, into new layers",
    preview_tip="Fuse only the part of the image in view, as temporary layers. Near its borders it "
    "may differ a little from the full run.",
    stages={"prepare": "Getting ready", "measure": "Measuring", "fuse": "Fusing"},
)


class RunPanel(StartPanel):
    """Preview, Fuse, Cancel and Clear, a bar and a line of words.

    Parameters
    ----------
    used_letters : set of str
        Mnemonics that are taken; those of the buttons are added.

    Attributes
    ----------
    fuse : QPushButton
        Starts the run.
    """

    def __init__(self, used_letters: set[str]) -> None:
        super().__init__(FUSING, used_letters)
        self.fuse = self.start
