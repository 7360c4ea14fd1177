"""Small results with known pixels, written through the working store as a fusion would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_gmff.export.working import create_working_store, write_block
from napari_gmff.provenance import make_provenance
from napari_gmff.reading.stack import Channel
from napari_gmff.results import FusionResult, Geometry, ImageSpec

KNOWN = Geometry(pixel_size_um=(0.5, 0.25), origin_um=(10.0, 20.0))
MakeResult = Callable[..., FusionResult]


def record(**changes: Any) -> dict[str, Any]:
    """Return the record of a plausible run, with some fields of `make_provenance` changed."""
    values: dict[str, Any] = {
        "engine": "stackmff-v4",
        "score_kind": "logits",
        "weights": {"name": "authors-v4", "sha256": "c0ffee", "license": "MIT"},
        "parameters": {"block_px": 1024, "halo_px": 64, "channel": "combined", "region": None},
        "source_name": "moth <wing> & friends.tif",
        "source_fingerprint": "abc123",
        "source_axes": "TCZYX",
        "source_shape": (1, 2, 4, 90, 70),
        "source_dtype": "uint16",
        "slices": range(4),
        "z_um": [0.0, 2.5, 5.0, 7.5],
        "voxel_size_um": (2.5, 0.5, 0.25),
        "inputs": [{"t": 0, "channel": 0, "range": (12.0, 4000.0), "sigma_px": 0.8}],
        "slice_order": "ordered",
        "device": "cpu",
    }
    return make_provenance(**{**values, **changes})


def pixels(spec: ImageSpec, seed: int = 0) -> np.ndarray:
    """Return random values of an image's dtype and axes; confidence and depth from 0 to 1."""
    random = np.random.default_rng(seed)
    if spec.dtype.kind == "f":
        return random.random(spec.shape).astype(spec.dtype)
    highest = 3 if spec.kind == "index" else np.iinfo(spec.dtype).max
    return random.integers(0, highest, spec.shape, dtype=spec.dtype, endpoint=True)


def image_specs(
    shape_yx: tuple[int, int],
    *,
    times: int = 1,
    channels: tuple[Channel, ...] = (),
    dtype: str = "uint16",
) -> list[ImageSpec]:
    """Return the four images of a result; T and C left out where there is only one."""
    time = ("t", (times,)) if times > 1 else ("", ())
    channel = ("c", (len(channels),)) if channels else ("", ())
    axes, shape = time[0] + "yx", (*time[1], *shape_yx)
    fused_axes, fused_shape = time[0] + channel[0] + "yx", (*time[1], *channel[1], *shape_yx)
    return [
        ImageSpec(
            "fused", fused_axes, fused_shape, np.dtype(dtype), "intensity", channels=channels
        ),
        ImageSpec("focus_index", axes, shape, np.dtype("uint8"), "index"),
        ImageSpec("depth", axes, shape, np.dtype("float32"), "depth", unit="µm"),
        ImageSpec("confidence", axes, shape, np.dtype("float32"), "confidence"),
    ]


def fill(group: Any, spec: ImageSpec, values: np.ndarray, side_px: int = 448) -> None:
    """Write an image block by block, with blocks that do not align with the chunks."""
    height, width = spec.shape_yx
    for t in range(spec.n_times):
        frame = values[t] if "t" in spec.axes else values
        for y in range(0, height, side_px):
            for x in range(0, width, side_px):
                rows = slice(y, min(y + side_px, height))
                columns = slice(x, min(x + side_px, width))
                write_block(group, spec, t, rows, columns, frame[..., rows, columns])


@contextmanager
def largest_file(limit_bytes: int) -> Iterator[None]:
    """Let the system refuse longer files, as a full disk refuses them."""
    resource = pytest.importorskip("resource", reason="needs POSIX resource limits")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def make_result(tmp_path: Path) -> MakeResult:
    """Return a function that makes a temporary result with random pixels."""

    def make(
        shape_yx: tuple[int, int] = (90, 70),
        *,
        geometry: Geometry = KNOWN,
        provenance: dict[str, Any] | None = None,
        name: str = "store",
        **options: Any,
    ) -> FusionResult:
        specs = image_specs(shape_yx, **options)
        store = tmp_path / "hidden" / name
        store.parent.mkdir(exist_ok=True)
        group = create_working_store(store, specs)
        for seed, spec in enumerate(specs):
            fill(group, spec, pixels(spec, seed))
        images = {spec.name: spec for spec in specs}
        return FusionResult(images, geometry, provenance or record(), store, is_temporary=True)

    return make
