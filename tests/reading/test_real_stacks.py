"""Real stacks open as what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_gmff.reading.open import read_stack


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("keyboard", (1, 1, 32, 360, 640, 3), "uint8"),
        ("algae", (1, 1, 5, 3648, 5440, 3), "uint8"),
        ("mitochondria", (1, 1, 9, 800, 512), "uint16"),
        ("radiolarian", (1, 1, 3, 116, 170, 3), "uint8"),
        ("pcb/button", (1, 1, 10, 1536, 2048, 3), "uint8"),
    ],
)
def test_real_stack_opens_with_its_shape(
    shared_dir: Path, name: str, shape: tuple[int, ...], dtype: str
) -> None:
    folder = shared_dir / "data" / "stacks" / name
    if not folder.is_dir():
        pytest.skip(f"no stack {name} in the shared folder")
    with read_stack(folder) as stack:
        assert stack.data.shape == shape
        assert stack.dtype == dtype
        assert stack.data[0, 0, -1, -8:, -8:].compute().any()
