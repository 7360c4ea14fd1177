"""The words by which restored images are told from measured ones, everywhere the same.

They lie below, where files are read and written.
"""

from __future__ import annotations

from napari_gmff.marks import (
    AI_MARK,
    BANNER,
    FUSED_SOURCE_TYPE,
    NOT_MEASURED,
    RESTORATION_KEY,
    RESTORED_SOURCE_TYPE,
    SPREAD_CAPTION,
    is_marked,
    is_restored,
    mark_facts,
    marked,
    unmarked,
)

__all__ = [
    "AI_MARK",
    "BANNER",
    "FUSED_SOURCE_TYPE",
    "NOT_MEASURED",
    "RESTORATION_KEY",
    "RESTORED_SOURCE_TYPE",
    "SPREAD_CAPTION",
    "is_marked",
    "is_restored",
    "mark_facts",
    "marked",
    "unmarked",
]
