"""What commands print alike."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_gmff.weights.card import ModelCard

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def print_json(values: Any) -> None:
    """Print values as JSON for people and programs."""
    print(json.dumps(values, indent=2, ensure_ascii=False))


def warn(message: str) -> None:
    """Print a warning on stderr in one line."""
    print(f"napari-gmff: warning: {' '.join(message.split())}", file=sys.stderr)


def bytes_in_words(n_bytes: float) -> str:
    """Say a number of bytes with three digits: "512 bytes", "1.5 MB", "23.4 GB"."""
    power = 0
    while n_bytes >= 999.5 and power < len(_UNITS) - 1:
        n_bytes, power = n_bytes / 1000, power + 1
    return f"{n_bytes:.3g} {_UNITS[power]}"


def card_in_short(card: ModelCard) -> str:
    """Say of a model what tells it from others."""
    return f"{card.architecture}, licence {card.license}, sha256 {card.sha256}"
