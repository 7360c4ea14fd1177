"""What a restoration gives; it lies below, where results are opened."""

from __future__ import annotations

from napari_gmff.restoration_result import RestorationResult

__all__ = ["RestorationResult"]
