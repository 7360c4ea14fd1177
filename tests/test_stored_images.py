"""What every result is: images in a store that goes when nobody needs it any more."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_gmff.errors import OutputError, ParameterError
from napari_gmff.export.working import create_working_store, write_block
from napari_gmff.results import open_result
from napari_gmff.stored_images import Geometry, ImageSpec, StoredImages

RECORD: dict[str, Any] = {"schema_version": 1, "program": "napari-gmff", "parameters": {}}
PIXELS = np.arange(30, dtype=np.int16).reshape(6, 5)


def make(store: Path, **options: Any) -> StoredImages:
    specs = [
        ImageSpec("fused", "yx", (6, 5), np.dtype("int16"), "intensity"),
        ImageSpec("max_projection", "yx", (6, 5), np.dtype("int16"), "intensity"),
    ]
    group = create_working_store(store, specs)
    for spec in specs:
        write_block(group, spec, 0, slice(0, 6), slice(0, 5), PIXELS)
    images = {spec.name: spec for spec in specs}
    return StoredImages(images, Geometry((0.5, 0.5)), RECORD, store, **options)


def test_images_are_read_by_name_and_level(tmp_path: Path) -> None:
    images = make(tmp_path / "store")
    np.testing.assert_array_equal(images.fused, PIXELS)
    np.testing.assert_array_equal(images.image("max_projection"), PIXELS)
    with pytest.raises(ParameterError, match="one of fused, max_projection, got 'depth'"):
        images.image("depth")
    with pytest.raises(ParameterError, match="fused level 1"):
        images.image("fused", 1)


def test_images_of_choice_are_saved_and_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    images = make(tmp_path / "store")
    out = images.save(tmp_path / "out", images=["fused"])
    assert set(open_result(out).images) == {"fused"}
    with pytest.raises(OutputError, match="already exists"):
        images.save(out)
    images.save(out, overwrite=True)
    assert set(open_result(out).images) == {"fused", "max_projection"}


def test_closing_deletes_a_temporary_store_once(tmp_path: Path) -> None:
    with make(tmp_path / "store", is_temporary=True) as images:
        assert (tmp_path / "store").is_dir()
    assert not (tmp_path / "store").exists()
    images.close()
    with pytest.raises(ParameterError, match="gone once it is closed"):
        _ = images.fused


def test_a_forgotten_temporary_one_deletes_its_store(tmp_path: Path) -> None:
    images = make(tmp_path / "store", is_temporary=True)
    del images
    gc.collect()
    assert not (tmp_path / "store").exists()


def test_the_store_goes_when_the_program_ends(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from napari_gmff.stored_images import Geometry, StoredImages;"
        "kept = StoredImages({}, Geometry(), {}, pathlib.Path(sys.argv[1]), is_temporary=True)"
    )
    (tmp_path / "store").mkdir()
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "store")], check=True)
    assert not (tmp_path / "store").exists()


def test_a_store_that_is_not_temporary_survives_closing(tmp_path: Path) -> None:
    make(tmp_path / "store").close()
    assert (tmp_path / "store").is_dir()
