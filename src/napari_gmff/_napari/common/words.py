"""Labels that wrap, can be copied, and say what they are in every theme; numbers in words."""

from __future__ import annotations

from typing import Literal

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy

Kind = Literal["plain", "problem"]

_SIGNS = {"plain": "", "problem": "⚠ "}

_MENU_LETTERS = frozenset("fvlpwh")
"""Mnemonics of napari's menus."""


class Words(QLabel):
    """A few words for the user, as wide as the dock and as high as they need.

    Parameters
    ----------
    kind : {"plain", "problem"}
        A problem has a sign before it: no colour of a warning is readable in every theme.
    text : str
        The words; without any, the label is hidden.
    """

    def __init__(self, kind: Kind = "plain", text: str = "") -> None:
        super().__init__()
        self._sign = _SIGNS[kind]
        self._words = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        if text:
            self.say(text)
        else:
            self.hide()

    def say(self, text: str) -> None:
        """Show other words; none hide the label."""
        self._words = text
        self.setText(f"{self._sign}{text}" if text else "")
        if self.parent() is not None:  # else it would open as a window of its own
            self.setVisible(bool(text))

    @property
    def words(self) -> str:
        """What is shown, without the sign."""
        return self._words


def with_mnemonic(title: str, used: set[str]) -> str:
    """Put an ampersand before a letter that no other label has, and remember the letter.

    Parameters
    ----------
    title : str
        Words of a label or button.
    used : set of str
        Letters taken so far, in lower case; those of napari's menus are always taken.
    """
    for place, letter in enumerate(title.lower()):
        if letter.isascii() and letter.isalpha() and letter not in used | _MENU_LETTERS:
            used.add(letter)
            return f"{title[:place]}&{title[place:]}"
    return title


def share_words(count: int, total: int) -> str:
    """Write how much some pixels are of all, such as ``"12.5 %"``; few are counted instead.

    Parameters
    ----------
    count, total : int
        Numbers of pixels.
    """
    share = 100 * count / total
    if count == 0 or share >= 0.1:
        return f"{share:.3g} %"
    pixels = "1 pixel" if count == 1 else f"{count:,} pixels"
    return f"{pixels} (less than 0.1 %)"
