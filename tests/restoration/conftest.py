"""What tests of restorations share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_gmff.restoration_result import RestorationResult
from tests.export.conftest import MakeResult, make_result
from tests.restoration.made_restorations import made_restoration

__all__ = ["make_restoration", "make_result"]

MakeRestoration = Callable[..., RestorationResult]


@pytest.fixture
def make_restoration(make_result: MakeResult, tmp_path: Path) -> MakeRestoration:
    """Return a function that makes a temporary restoration of a temporary fusion."""

    def make(
        *, n_seeds: int = 1, has_contradiction: bool = True, **options: Any
    ) -> RestorationResult:
        fused = make_result(name=f"fused{len(list(tmp_path.iterdir()))}", **options)
        folder = tmp_path / "hidden" / f"{fused.store_path.name}-restored"
        return made_restoration(fused, folder, n_seeds=n_seeds, has_contradiction=has_contradiction)

    return make
