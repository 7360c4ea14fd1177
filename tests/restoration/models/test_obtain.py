"""Models of restoration come from files and from a server that cuts, corrupts and redirects."""

from __future__ import annotations

import os
import shutil

import pytest
import torch

from napari_gmff.errors import (
    ConsentError,
    DownloadError,
    OutputError,
    ParameterError,
    WeightsError,
)
from napari_gmff.restoration.models import obtain
from napari_gmff.restoration.models.catalog import RESTORATION_MODELS, SD21_BASE
from napari_gmff.restoration.models.obtain import (
    download_restoration_model,
    import_restoration_model,
    missing_message,
)
from napari_gmff.weights.hashing import sha256_of
from napari_gmff.weights.resolve import resolve_weights


def test_nothing_is_stored_or_fetched_without_consent(
    store, tiny_base, tiny_control, file_server, answer, published
):
    file_server.answers = [answer(tiny_base.read_bytes())]
    with pytest.raises(ConsentError, match="weights consent diffbir-v2"):
        import_restoration_model(tiny_control, store, kind="diffbir-v2")
    with pytest.raises(ConsentError, match=r"Stable Diffusion 2\.1-base: .*Open RAIL"):
        import_restoration_model(tiny_base, store, name="mine")
    with pytest.raises(ConsentError):
        download_restoration_model("sd21-base", store, model=published)
    assert file_server.ranges == []
    assert not store.root.exists()


def test_a_checkpoint_is_kept_as_it_came_under_the_label_the_user_gave(agreed, tiny_control):
    card = import_restoration_model(tiny_control, agreed, kind="diffbir-v2")
    assert (card.name, card.title, card.architecture) == ("diffbir-v2", "DiffBIR v2", "diffbir-v2")
    assert card.license == "Apache-2.0"
    assert card.sha256 == sha256_of(tiny_control)
    assert "word of who imported it from the file v2.pth" in card.notes
    assert "IFControlNet" not in card.model_dump_json()
    assert agreed.verify("diffbir-v2") == card
    kept = agreed.folder("diffbir-v2") / "model.pt"
    assert kept.samefile(tiny_control)


def test_one_file_cannot_have_two_labels(agreed, tiny_control):
    import_restoration_model(tiny_control, agreed, kind="diffbir-v2", name="mine")
    with pytest.raises(ParameterError, match="stored as DiffBIR v2 under the name mine"):
        import_restoration_model(tiny_control, agreed, kind="ifcontrolnet")
    with pytest.raises(ParameterError, match="'ifcontrolnet' always means IFControlNet"):
        import_restoration_model(tiny_control, agreed, kind="diffbir-v2", name="ifcontrolnet")
    with pytest.raises(ParameterError, match="'authors-v4' always means StackMFF V4"):
        import_restoration_model(tiny_control, agreed, kind="diffbir-v2", name="authors-v4")
    assert agreed.names() == ["mine"]


def test_the_base_models_name_is_kept_for_the_published_file(agreed, tiny_base):
    with pytest.raises(WeightsError, match=r"kept for the file of 5,214,604,494 bytes .*--name"):
        import_restoration_model(tiny_base, agreed)
    card = import_restoration_model(tiny_base, agreed, name="tiny-base", source="here")
    assert card.title == "Stable Diffusion 2, not the published 2.1-base"
    assert (card.source, card.architecture) == ("here", "stable-diffusion-2.1")


def test_the_published_file_is_known_by_its_sha256(agreed, tiny_base, published, monkeypatch):
    monkeypatch.setitem(RESTORATION_MODELS, "sd21-base", published)
    card = import_restoration_model(tiny_base, agreed)
    assert (card.name, card.title, card.notes) == ("sd21-base", SD21_BASE.title, "")
    assert card.source == published.published.url


def test_a_models_folder_can_be_passed_on_with_its_label(agreed, tiny_control, tmp_path):
    import_restoration_model(tiny_control, agreed, kind="diffbir-v2")
    given = tmp_path / "given"
    shutil.move(agreed.folder("diffbir-v2"), given)
    with pytest.raises(ParameterError, match="its card says that it is DiffBIR v2"):
        import_restoration_model(given, agreed, kind="ifcontrolnet")
    assert import_restoration_model(given, agreed).title == "DiffBIR v2"
    agreed.remove("diffbir-v2")
    (given / "model.pt").unlink()
    torch.save({"input_blocks.a": torch.ones(1), "zero_convs.a": torch.ones(1)}, given / "model.pt")
    with pytest.raises(WeightsError):
        import_restoration_model(given, agreed)
    assert agreed.names() == []


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("sd21-base", "must be a Stable Diffusion 2 checkpoint .* found a control model"),
        ("diffbir-v2", "must be a control model .* found a Stable Diffusion 2 checkpoint"),
    ],
)
def test_files_of_the_other_kind_are_refused(agreed, tiny_base, tiny_control, kind, message):
    path = tiny_control if kind == "sd21-base" else tiny_base
    with pytest.raises(WeightsError, match=message):
        import_restoration_model(path, agreed, kind=kind, name="mine")
    assert agreed.names() == []


def test_a_file_with_a_tensor_missing_is_refused(agreed, tiny_control, tmp_path):
    pytest.importorskip("diffusers")
    state = torch.load(tiny_control, weights_only=True)
    del state["zero_convs.3.0.weight"]
    torch.save(state, tmp_path / "v2.pth")
    with pytest.raises(WeightsError, match=r"v2\.pth: .*zero_conv|v2\.pth: .*controlnet"):
        import_restoration_model(tmp_path / "v2.pth", agreed, kind="diffbir-v2")
    assert agreed.names() == []


def test_a_stopped_import_leaves_nothing_behind(agreed, tiny_control):
    def stop(_done: int, _total: int | None) -> None:
        raise KeyboardInterrupt

    before = sorted(agreed.root.iterdir())
    with pytest.raises(KeyboardInterrupt):
        import_restoration_model(tiny_control, agreed, kind="diffbir-v2", progress=stop)
    assert sorted(agreed.root.iterdir()) == before
    assert tiny_control.exists()


def test_a_taken_name_is_replaced_only_on_request(agreed, tiny_control):
    import_restoration_model(tiny_control, agreed, kind="diffbir-v2")
    with pytest.raises(OutputError, match="already stored"):
        import_restoration_model(tiny_control, agreed, kind="diffbir-v2")
    assert import_restoration_model(tiny_control, agreed, kind="diffbir-v2", overwrite=True)


def test_a_cut_download_goes_on_where_it_broke(agreed, published, tiny_base, file_server, answer):
    content = tiny_base.read_bytes()
    file_server.answers = [answer(content, cut_after=5_000_000), answer(content)]
    steps = []
    card, fetched = download_restoration_model(
        "sd21-base", agreed, model=published, progress=lambda *step: steps.append(step)
    )
    assert fetched
    assert file_server.ranges == [None, "bytes=5000000-"]
    assert steps[-1] == (len(content), len(content))
    assert card == agreed.verify("sd21-base")
    assert card.title == "Stable Diffusion 2.1-base"
    assert list(agreed.downloads_folder().iterdir()) == []
    assert download_restoration_model("sd21-base", agreed, model=published) == (card, False)
    assert len(file_server.ranges) == 2


def test_a_corrupted_download_is_not_kept_and_the_way_without_is_told(
    agreed, published, tiny_base, file_server, answer
):
    content = bytearray(tiny_base.read_bytes())
    content[1000] ^= 1
    file_server.answers = [answer(bytes(content))]
    with pytest.raises(DownloadError, match="sha256 must be") as refused:
        download_restoration_model("sd21-base", agreed, model=published)
    assert "napari-gmff weights import v2-1_512-ema-pruned.safetensors --as" in str(refused.value)
    assert agreed.names() == []
    assert list(agreed.downloads_folder().iterdir()) == []


def test_a_redirected_download_arrives_and_one_to_a_file_does_not(
    agreed, published, tiny_base, file_server, answer
):
    moved = answer(b"", status=302, location=file_server.url)
    file_server.answers = [
        answer(b"", status=302, location="file:///etc/hostname"),
        moved,
        answer(tiny_base.read_bytes()),
    ]
    with pytest.raises(DownloadError):
        download_restoration_model("sd21-base", agreed, model=published)
    assert download_restoration_model("sd21-base", agreed, model=published)[1]


def test_a_stopped_download_goes_on_the_next_time(
    agreed, published, tiny_base, file_server, answer
):
    file_server.answers = [answer(tiny_base.read_bytes())]

    def stop(done: int, _total: int | None) -> None:
        if done > 1_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download_restoration_model("sd21-base", agreed, model=published, progress=stop)
    assert agreed.names() == []
    assert download_restoration_model("sd21-base", agreed, model=published)[1]
    assert file_server.ranges[1] is not None


def test_a_disk_too_small_is_told_before_anything_is_fetched(
    agreed, published, file_server, monkeypatch
):
    usage = shutil.disk_usage(agreed.root)
    monkeypatch.setattr(obtain.shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    with pytest.raises(OutputError, match=r"0\.2 GB must be free for the download, found 0\.0 GB"):
        download_restoration_model("sd21-base", agreed, model=published)
    assert file_server.ranges == []


def test_what_has_no_address_says_how_to_get_it(agreed):
    with pytest.raises(WeightsError, match=r"get v2\.pth .*DiffBIR-v2.*--as diffbir-v2"):
        download_restoration_model("diffbir-v2", agreed)


def test_a_missing_model_is_named_with_size_sha256_address_and_commands(store):
    text = missing_message("sd21-base", store)
    known = SD21_BASE.published
    for fact in (SD21_BASE.file_name, "5,214,604,494", known.sha256, known.url):
        assert fact in text
    assert "'napari-gmff weights download sd21-base'" in text
    assert "'napari-gmff weights import v2-1_512-ema-pruned.safetensors --as sd21-base'" in text
    assert "download" not in missing_message("ifcontrolnet", store)


def test_fusing_refuses_these_models(agreed, tiny_control):
    import_restoration_model(tiny_control, agreed, kind="diffbir-v2")
    with pytest.raises(WeightsError, match="must be of stackmff-v4, found those of diffbir-v2"):
        resolve_weights("diffbir-v2", "stackmff-v4", store=agreed)


def test_a_linked_original_may_go_away(agreed, tiny_control, tmp_path):
    mine = tmp_path / "mine.pth"
    os.link(tiny_control, mine)
    import_restoration_model(mine, agreed, kind="diffbir-v2")
    mine.unlink()
    assert agreed.verify("diffbir-v2")
