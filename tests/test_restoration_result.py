from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_gmff.corrections import Corrections
from napari_gmff.errors import ParameterError, SourceError
from napari_gmff.restoration_result import RestorationResult
from napari_gmff.results import FusionResult, open_fusion, open_result
from tests.export.conftest import MakeResult, make_result
from tests.restoration.conftest import MakeRestoration, make_restoration
from tests.restoration.made_restorations import CONTRADICTION, SPOT, SPREAD

__all__ = ["make_restoration", "make_result"]


def test_images_are_what_was_stored(make_restoration: MakeRestoration) -> None:
    with make_restoration(n_seeds=2) as result:
        fused, restored = result.fused.compute(), result.restored.compute()
        inside = np.zeros(fused.shape, bool)
        inside[SPOT] = True
        assert (restored[inside] != fused[inside]).all()
        np.testing.assert_array_equal(restored[~inside], fused[~inside])
        np.testing.assert_array_equal(result.mask.compute() == 1, inside)
        change = restored.astype(np.float32) - fused
        np.testing.assert_array_equal(result.difference.compute(), change)
        np.testing.assert_array_equal(result.abs_difference.compute(), np.abs(change))
        assert result.restored_mean is not None
        assert result.spread is not None and result.spread.compute().max() == SPREAD
        contradiction = result.contradiction
        assert contradiction is not None and contradiction.compute().max() == CONTRADICTION
        assert result.changed_share == inside.mean()
        assert not result.pixels_copied


def test_what_was_not_made_is_none(make_restoration: MakeRestoration) -> None:
    with make_restoration(has_contradiction=False) as result:
        assert result.restored_mean is None
        assert result.spread is None
        assert result.contradiction is None


def test_a_saved_restoration_opens_as_one(
    make_restoration: MakeRestoration,
    tmp_path: Path,
) -> None:
    with make_restoration(n_seeds=2) as made:
        made.save(tmp_path / "out.ome.zarr")
        with open_result(tmp_path / "out.ome.zarr") as opened:
            assert isinstance(opened, RestorationResult)
            assert opened.images == made.images
            assert opened.provenance == made.provenance
            for name in made.images:
                np.testing.assert_array_equal(opened.image(name), made.image(name))


def test_a_record_that_lost_its_key_does_not_make_a_fusion_of_it(
    make_restoration: MakeRestoration,
    tmp_path: Path,
) -> None:
    with make_restoration() as made:
        del made.provenance["restoration"]
        made.save(tmp_path / "out.ome.zarr")
    assert isinstance(open_result(tmp_path / "out.ome.zarr"), RestorationResult)


def test_only_a_fusion_opens_as_a_fusion(
    make_restoration: MakeRestoration,
    make_result: MakeResult,
    tmp_path: Path,
) -> None:
    with make_restoration() as made:
        made.save(tmp_path / "restored.ome.zarr")
    with pytest.raises(SourceError, match="not measured; open the fusion"):
        open_fusion(tmp_path / "restored.ome.zarr")
    make_result().save(tmp_path / "fused.ome.zarr")
    assert isinstance(open_fusion(tmp_path / "fused.ome.zarr"), FusionResult)


def test_a_closed_restoration_leaves_nothing_behind(
    make_restoration: MakeRestoration,
) -> None:
    result = make_restoration()
    result.close()
    assert not result.store_path.exists()
    with pytest.raises(ParameterError, match="gone once it is closed"):
        result.restored  # noqa: B018


@pytest.mark.parametrize("name", ["depth", "confidence", "focus_index", "focus_curve", "append_to"])
def test_what_is_measured_is_refused_with_the_reason(
    make_restoration: MakeRestoration,
    name: str,
) -> None:
    with make_restoration() as result:
        assert not hasattr(result, name)
        with pytest.raises(AttributeError, match=f"{name}: .* not measured; ask the fusion"):
            getattr(result, name)
        with pytest.raises(AttributeError, match="has no attribute 'dpeth'"):
            result.dpeth  # type: ignore[attr-defined]  # noqa: B018


def test_a_restoration_is_not_corrected_by_hand(make_restoration: MakeRestoration) -> None:
    with make_restoration() as result, pytest.raises(ParameterError, match="correct the fusion"):
        Corrections.of(result)  # type: ignore[arg-type]
