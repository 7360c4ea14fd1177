"""``napari-gmff restore``, from the flag that it asks for to files on disk."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_gmff.cli.main import EXIT_BAD_INPUT, EXIT_INTERRUPTED, main
from napari_gmff.marks import AI_MARK, is_restored
from napari_gmff.pipeline import fuse
from napari_gmff.reading.open import read_stack
from napari_gmff.restoration.models.consent import give_consent, withdraw_consent
from napari_gmff.restoration.params import RestoreParams
from napari_gmff.restoration_result import RestorationResult
from napari_gmff.results import open_result
from napari_gmff.weights.store import ModelStore
from tests.restoration.models.tiny import store_tiny_models

ACCEPTED = "--accept-generative"
TINY = "--model diffbir-v2 --base tiny-base --steps 2 --guidance 1 --tile-px 64".split()
ON_CPU = ["--device", "cpu", "--allow-cpu"]
SHAPE = (64, 80)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a stack, its fusion twice, and a mask of it."""
    import tifffile

    folder = tmp_path_factory.mktemp("fused")
    rng = np.random.default_rng(3)
    stack = np.full((3, *SHAPE), 30_000, np.uint16)
    for index, columns in enumerate(np.array_split(np.arange(SHAPE[1]), 3)):
        stack[index][:, columns] = rng.integers(500, 60_000, (SHAPE[0], len(columns)))
    tifffile.imwrite(folder / "stack.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    with read_stack(folder / "stack.tif") as source:
        for name in ("one", "two"):
            out = folder / f"{name}.ome.zarr"
            fuse(source, engine="laplacian-energy", output=out, device="cpu").close()
    mask = np.zeros(SHAPE, np.uint8)
    mask[10:40, 10:50] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    return folder


@pytest.fixture(scope="module")
def model_store(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    """Return a store with the tiny models."""
    pytest.importorskip("diffusers", reason="the extra 'restoration' is not installed")
    store = ModelStore(tmp_path_factory.mktemp("models"))
    return store_tiny_models(store, shared_dir, tmp_path_factory.mktemp("given"))


@pytest.fixture
def tiny(model_store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """Make the tiny models the user's, and let them work on small images as they are."""
    from napari_gmff.restoration.diffusion.restorer import IFControlNetRestorer

    made = IFControlNetRestorer.__init__

    def init(self, *args, **options):
        made(self, *args, **{**options, "least_side_px": 64})

    monkeypatch.setattr(IFControlNetRestorer, "__init__", init)
    monkeypatch.setenv("NAPARI_GMFF_MODELS", str(model_store.root))
    return model_store


def run(*words: object) -> int:
    return main(["restore", *map(str, words)])


def test_it_refuses_without_the_flag_and_says_why(files, tmp_path, capsys):
    assert run(files / "one.ome.zarr", "-o", tmp_path / "out.ome.zarr") == EXIT_BAD_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert "Not a measurement" in line
    assert "content may be invented" in line
    assert ACCEPTED in line
    assert list(tmp_path.iterdir()) == []


def test_a_fused_image_is_restored_inside_its_mask_and_marked(tiny, files, tmp_path, capsys):
    source, out = files / "one.ome.zarr", tmp_path / "out.ome.zarr"
    mask, stack = files / "mask.png", files / "stack.tif"
    words = [source, "-o", out, ACCEPTED, "--mask", mask, "--stack", stack, *TINY, *ON_CPU]
    assert run(*words) == 0
    printed = capsys.readouterr().out
    assert AI_MARK in printed
    assert "changed by DiffBIR v2 on cpu" in printed
    assert "contradict the slices" in printed
    inside = np.asarray(Image.open(mask)) > 0
    with open_result(source) as fused, open_result(out) as result:
        assert isinstance(result, RestorationResult)
        assert is_restored(result.provenance)
        before, after = np.squeeze(fused.fused.compute()), np.squeeze(result.restored.compute())
        assert np.array_equal(np.squeeze(result.fused.compute()), before)
        assert np.array_equal(after[~inside], before[~inside])
        assert (after[inside] != before[inside]).mean() > 0.5
        assert np.array_equal(np.squeeze(result.mask.compute()), inside)
        assert result.contradiction is not None
        record = result.restoration
        assert record["title"] == "DiffBIR v2"
        hashes = {model["sha256"] for model in record["models"]}
        assert hashes == {tiny.card(name).sha256 for name in ("tiny-base", "diffbir-v2")}
        assert record["parameters"]["steps"] == 2
        assert "IFControlNet" not in json.dumps(record)
    assert main(["methods", str(out)]) == 0
    text = capsys.readouterr().out
    assert "DiffBIR v2" in text
    assert "CreativeML Open RAIL++-M" in text
    assert "IFControlNet" not in text


def test_several_images_are_restored_into_a_folder(tiny, files, tmp_path, capsys):
    sources = [files / "one.ome.zarr", files / "two.ome.zarr"]
    words = [*sources, "-o", tmp_path / "all", ACCEPTED, "--mask-below", 0.9, "--json"]
    assert run(*words, *TINY, *ON_CPU) == 0
    summary = json.loads(capsys.readouterr().out)
    names = ["one.restored.ome.zarr", "two.restored.ome.zarr"]
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == names
    first, second = summary["restored"]
    assert Path(first["output"]).name == names[0]
    with open_result(first["output"]) as one, open_result(second["output"]) as two:
        assert np.array_equal(one.restored.compute(), two.restored.compute())


def test_parameters_come_from_a_file_and_flags_override_it(tiny, files, tmp_path, capsys):
    values = {"model": "diffbir-v2", "base": "tiny-base", "steps": 999, "guidance": 1}
    values |= {"device": "cpu", "allow_cpu": True, "tile_px": 64, "mask_below": 0.9}
    (tmp_path / "p.json").write_text(json.dumps(values))
    out = tmp_path / "out.ome.zarr"
    words = [files / "one.ome.zarr", "-o", out, ACCEPTED, "--params", tmp_path / "p.json"]
    assert run(*words, "--steps", 2, "--quiet") == 0
    assert capsys.readouterr().out == ""
    with open_result(out) as result:
        assert result.restoration["parameters"]["steps"] == 2
    (tmp_path / "p.json").write_text(json.dumps(values | {"stepz": 1}))
    assert run(*words) == EXIT_BAD_INPUT
    assert "stepz" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--stack", "stack.tif"], "--stack: belongs to one fused image, got 2"),
        (["--mask", "mask.png"], "--mask: belongs to one fused image, got 2"),
    ],
)
def test_what_belongs_to_one_image_is_refused_for_two(files, tmp_path, capsys, words, message):
    sources = [files / "one.ome.zarr", files / "two.ome.zarr"]
    assert run(*sources, "-o", tmp_path / "all", ACCEPTED, *words) == EXIT_BAD_INPUT
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_images_of_one_name_are_refused(files, tmp_path, capsys):
    source = files / "one.ome.zarr"
    assert run(source, source, "-o", tmp_path / "all", ACCEPTED) == EXIT_BAD_INPUT
    assert "got one twice" in capsys.readouterr().err


def test_a_restored_image_is_not_restored_again(tiny, files, tmp_path, capsys):
    first = tmp_path / "first.ome.zarr"
    words = [ACCEPTED, "--mask-below", 0.9, *TINY, *ON_CPU]
    assert run(files / "one.ome.zarr", "-o", first, *words) == 0
    assert run(first, "-o", tmp_path / "second.ome.zarr", *words) == EXIT_BAD_INPUT
    assert "is restored already" in capsys.readouterr().err
    assert run(files / "one.ome.zarr", "-o", first, *words) == EXIT_BAD_INPUT
    assert "--overwrite" in capsys.readouterr().err


def test_a_mask_that_does_not_fit_is_refused(tiny, files, tmp_path, capsys):
    Image.fromarray(np.ones((9, 9), np.uint8)).save(tmp_path / "mask.png")
    words = [files / "one.ome.zarr", "-o", tmp_path / "out.ome.zarr", ACCEPTED, *TINY, *ON_CPU]
    assert run(*words, "--mask", tmp_path / "mask.png") == EXIT_BAD_INPUT
    assert "64 × 80 pixels as the fused image, found 9 × 9" in capsys.readouterr().err
    assert not (tmp_path / "out.ome.zarr").exists()


def test_the_licences_are_asked_for_before_anything_is_loaded(tiny, files, tmp_path, capsys):
    words = [files / "one.ome.zarr", "-o", tmp_path / "out.ome.zarr", ACCEPTED, *TINY, *ON_CPU]
    withdraw_consent("diffbir-v2", tiny)
    try:
        assert run(*words) == EXIT_BAD_INPUT
    finally:
        give_consent("diffbir-v2", tiny)
    (line,) = capsys.readouterr().err.splitlines()
    assert "napari-gmff weights consent diffbir-v2" in line
    assert list(tmp_path.iterdir()) == []


def test_missing_models_are_named_with_what_to_do(tiny, files, tmp_path, capsys):
    words = [files / "one.ome.zarr", "-o", tmp_path / "out.ome.zarr", ACCEPTED]
    assert run(*words) == EXIT_BAD_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert "napari-gmff weights download sd21-base" in line
    assert "5,214,604,494 bytes" in line


def test_a_processor_without_gpu_must_be_asked_for(tiny, files, tmp_path, capsys):
    words = [files / "one.ome.zarr", "-o", tmp_path / "out.ome.zarr", ACCEPTED, *TINY]
    assert run(*words, "--device", "cpu") == EXIT_BAD_INPUT
    assert "--allow-cpu" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_between_steps_leaves_nothing_behind(tiny, files, tmp_path, monkeypatch, capsys):
    @contextmanager
    def stopping(*, hidden: bool):
        def show(progress):
            if progress.stage == "restore" and progress.done == 1:
                raise KeyboardInterrupt

        yield show

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr("napari_gmff.cli.restore.progress_bar", stopping)
    sources = [files / "one.ome.zarr", files / "two.ome.zarr"]
    words = [*sources, "-o", tmp_path / "all", ACCEPTED, "--mask-below", 0.9]
    assert run(*words, *TINY, *ON_CPU) == EXIT_INTERRUPTED
    assert "nothing half-written is left" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [temporary]
    assert list(temporary.iterdir()) == []


def test_a_self_test_ends_in_a_verdict_and_writes_nothing(tiny, files, tmp_path, capsys):
    words = [files / "one.ome.zarr", ACCEPTED, "--self-test", *TINY, *ON_CPU]
    assert run(*words) == EXIT_BAD_INPUT
    assert "--self-test: needs one fused image and the --stack" in capsys.readouterr().err
    words += ["--stack", files / "stack.tif"]
    assert run(*words, "--drop", 1) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Self-test: Without slice 1, ")
    assert list(tmp_path.iterdir()) == []


def test_a_self_test_may_come_before_a_restoration(tiny, files, tmp_path, capsys):
    words = [files / "one.ome.zarr", "-o", tmp_path / "out.ome.zarr", ACCEPTED, *TINY, *ON_CPU]
    words += ["--stack", files / "stack.tif", "--mask", files / "mask.png"]
    assert run(*words, "--self-test", "--drop", 1, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["self_test"]["dropped"] == [1]
    assert summary["self_test"]["verdict"].startswith("Without slice 1")
    assert summary["self_test"]["inside"]["n_pixels"] > 0
    assert (tmp_path / "out.ome.zarr").is_dir()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "-o: must name the folder to write"),
        (["-o", "out", "--drop", "1"], "--drop: names slices for --self-test"),
        (["--self-test", "--stack", "s.tif", "--drop", "a"], "such as 3,4,5, got 'a'"),
    ],
)
def test_flags_that_miss_another_are_refused(files, capsys, words, message):
    assert run(files / "one.ome.zarr", ACCEPTED, *words) == EXIT_BAD_INPUT
    assert message in capsys.readouterr().err


def test_help_names_every_parameter_and_its_default(capsys):
    with pytest.raises(SystemExit):
        run("--help")
    text = " ".join(capsys.readouterr().out.split())
    for name, field in RestoreParams.model_fields.items():
        assert f"--{name.replace('_', '-')}" in text
        assert " ".join(field.description.split()) in text


def test_several_results_need_a_folder_that_is_none_itself(tiny, files, capsys):
    sources = [files / "one.ome.zarr", files / "two.ome.zarr"]
    words = [ACCEPTED, *TINY, *ON_CPU]
    assert run(*sources, "-o", files / "one.ome.zarr", *words) == EXIT_BAD_INPUT
    assert "must be a folder for several results" in capsys.readouterr().err
    assert run(*sources, "-o", files / "nowhere" / "all", *words) == EXIT_BAD_INPUT
    assert "cannot be made" in capsys.readouterr().err
