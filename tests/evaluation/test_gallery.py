from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_gmff.errors import SourceError
from napari_gmff.evaluation.gallery import find_stacks, write_gallery
from napari_gmff.evaluation.runners import EngineRunner, LaplacianRunner
from tests.stacks import textured

ENGINE = EngineRunner("laplacian-energy", {"engine": "laplacian-energy"})


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    folder = tmp_path / "stacks"
    (folder / "colour").mkdir(parents=True)
    (folder / "pages").mkdir()
    grey = textured((3, 60, 80), "uint8")
    for k, plane in enumerate(grey):
        Image.fromarray(np.stack([plane, plane // 2, plane], axis=-1)).save(
            folder / "colour" / f"{k}.png"
        )
    (folder / "colour" / "SOURCE.md").write_text("where from")
    tifffile.imwrite(folder / "pages" / "z.tif", textured((4, 50, 60), "uint16"), imagej=True,
                     metadata={"axes": "ZYX"})  # fmt: skip
    return folder


def test_folders_of_slices_and_tiffs_of_pages_are_found(stacks: Path):
    found = {name: [path.name for path in files] for name, files in find_stacks(stacks)}
    assert found == {"colour": ["0.png", "1.png", "2.png"], "pages": ["z.tif"]}


def test_every_stack_becomes_a_picture_with_a_row_for_each_engine(stacks: Path, tmp_path: Path):
    notes: list[str] = []
    heights = []
    for engines in ([ENGINE], [ENGINE, ENGINE, LaplacianRunner("not ours", 0, 3)]):
        pictures = write_gallery(stacks, engines, tmp_path, notes)
        assert [name for name, _ in pictures] == ["stack-colour.jpg", "stack-pages.jpg"]
        with Image.open(tmp_path / "stack-colour.jpg") as image:
            heights.append(image.height)
            assert image.width > 4 * 80
    assert notes == []
    assert heights[1] > 1.8 * heights[0]


def test_a_stack_that_cannot_be_read_is_noted_and_the_others_are_shown(
    stacks: Path, tmp_path: Path
):
    (stacks / "colour" / "1.png").write_bytes(b"not a picture")
    notes: list[str] = []
    pictures = write_gallery(stacks, [ENGINE], tmp_path, notes)
    assert [name for name, _ in pictures] == ["stack-pages.jpg"]
    (note,) = notes
    assert note.startswith("stack colour left out: ")


def test_a_folder_without_stacks_is_named(tmp_path: Path):
    with pytest.raises(SourceError, match="must be a folder of stacks"):
        find_stacks(tmp_path)
