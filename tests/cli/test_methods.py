from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from napari_gmff.cli.methods import add_methods_parser
from napari_gmff.errors import SourceError
from napari_gmff.provenance import FILE_NAME, make_provenance


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_methods_parser(parser.add_subparsers())
    parsed = parser.parse_args(["methods", *arguments])
    code: int = parsed.handler(parsed)
    return code


def test_the_paragraphs_of_a_result_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = make_provenance(
        engine="laplacian-energy",
        score_kind="log-energy",
        parameters={},
        source_name="moth.tif",
        source_fingerprint="ab",
        source_axes="TCZYXS",
        source_shape=(1, 1, 3, 50, 40, 3),
        source_dtype="uint8",
        slices=range(3),
        z_um=None,
        voxel_size_um=(None, None, None),
        inputs=[],
        slice_order="unordered",
        device="cpu",
    )
    (tmp_path / FILE_NAME).write_text(json.dumps(record))
    assert run(str(tmp_path)) == 0
    printed = capsys.readouterr().out
    assert "moth.tif" in printed
    assert "must not be used for" in printed
    assert "References" in printed


def test_a_folder_that_is_no_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=str(tmp_path)):
        run(str(tmp_path))


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('{"program": "napari-gmff", "schema_version": 1}')
    with pytest.raises(SourceError, match=r"record of the run is damaged \(KeyError"):
        run(str(tmp_path))
