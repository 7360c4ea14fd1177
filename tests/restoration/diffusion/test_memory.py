from __future__ import annotations

import pytest
import torch

from napari_gmff.errors import DeviceError
from napari_gmff.restoration.diffusion.memory import TileLadder, sparing

CPU = torch.device("cpu")


def _run(ladder: TileLadder, fits) -> tuple[list[tuple[int, int]], object]:
    tried = []

    def attempt():
        tried.append((ladder.tile_px, ladder.at_once))
        yield "begun"
        if not fits(ladder):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB\nmore")
        return "done"

    work = sparing(attempt, ladder, CPU)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return tried, end.value


def test_fewer_tiles_at_once_come_before_smaller_ones():
    ladder = TileLadder("sampling", 512, at_once=4)
    tried, value = _run(ladder, lambda it: it.tile_px <= 256)
    assert tried == [(512, 4), (512, 2), (512, 1), (256, 1)]
    assert value == "done"
    assert ladder.notes == ["cpu ran out of memory; sampling continued in tiles of 256 px"]


def test_tiles_stay_multiples_of_64():
    tried, _ = _run(TileLadder("sampling", 448), lambda it: it.tile_px <= 192)
    assert tried == [(448, 1), (192, 1)]


def test_memory_that_does_not_suffice_at_all_stops_with_what_to_do():
    ladder = TileLadder("sampling", 256)
    with pytest.raises(DeviceError, match=r"even with tiles of 128 px \(CUDA") as error:
        _run(ladder, lambda it: False)
    assert "\n" not in str(error.value)


def test_other_errors_are_passed_on():
    def attempt():
        yield
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        list(sparing(attempt, TileLadder("sampling", 512), CPU))


def test_a_smaller_batch_is_told_where_it_matters():
    ladder = TileLadder("decoding", 256, at_once=8, tells_batch=True)
    tried, _ = _run(ladder, lambda it: it.at_once <= 4)
    assert tried == [(256, 8), (256, 4)]
    assert ladder.notes == ["cpu ran out of memory; decoding continued with 4 tiles at once"]
