from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from dask.callbacks import Callback

from napari_gmff import fuse, read_stack
from napari_gmff.reading.computing import computed
from tests.stacks import textured


class ForOneThread(Callback):
    """Fails wherever dask computes, as napari's cache does when threads meet in it."""

    def _pretask(self, key: object, dsk: object, state: object) -> None:
        raise KeyError(key)


def test_what_a_program_has_set_for_dask_is_left_alone() -> None:
    data = np.arange(12).reshape(3, 4)
    lazy = da.from_array(data, chunks=2)
    with ForOneThread():
        with pytest.raises(KeyError):
            lazy.compute()
        np.testing.assert_array_equal(computed(lazy), data)
        np.testing.assert_array_equal(computed(lazy, scheduler="synchronous"), data)


def test_what_is_no_lazy_array_is_taken_as_it_is() -> None:
    data = np.arange(3)
    assert computed(data) is data
    assert computed([1, 2]).tolist() == [1, 2]


def test_a_stack_is_fused_without_anything_set_for_dask() -> None:
    lazy = da.from_array(textured((3, 90, 100)), chunks=(1, 32, 32))
    with ForOneThread(), read_stack(lazy, axes="ZYX") as stack:
        with fuse(stack, engine="laplacian-energy") as result:
            curve = result.focus_curve(40, 50)
            measured = result.intensity_curve(40, 50)
            assert result.provenance["source"]["fingerprint"] == stack.fingerprint
    assert np.isfinite(np.asarray(curve)).all()
    assert np.isfinite(np.asarray(measured)).all()
