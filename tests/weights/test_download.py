"""Downloads against a real server that cuts, corrupts, moves and refuses."""

from __future__ import annotations

import errno
import hashlib
import os
import random
from pathlib import Path

import pytest

from napari_gmff.errors import DownloadError, OutputError
from napari_gmff.weights.download import Wanted, download
from napari_gmff.weights.part_file import PartFile

CONTENT = random.Random(1).randbytes(300_000)
OTHER = random.Random(2).randbytes(300_000)


def wanted(url: str, content: bytes = CONTENT, **changes) -> Wanted:
    facts = {"max_bytes": len(content), "backoff_s": 0.0, "timeout_s": 10.0} | changes
    return Wanted(url, hashlib.sha256(content).hexdigest(), **facts)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "downloads"
    folder.mkdir()
    return folder / "model.pth"


def left_in(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def test_whole_file_arrives_with_progress_and_nothing_else_is_left(file_server, answer, target):
    file_server.answers = [answer(CONTENT)]
    steps = []
    download(wanted(file_server.url), target, lambda done, total: steps.append((done, total)))
    assert target.read_bytes() == CONTENT
    assert left_in(target) == ["model.pth"]
    assert steps[0] == (0, len(CONTENT))
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert steps == sorted(steps)
    assert file_server.ranges == [None]


def test_cut_connection_is_resumed_from_the_byte_it_broke_at(file_server, answer, target):
    file_server.answers = [
        answer(CONTENT, cut_after=100_000),
        answer(CONTENT, cut_after=50_000),
        answer(CONTENT),
    ]
    download(wanted(file_server.url), target)
    assert target.read_bytes() == CONTENT
    assert file_server.ranges == [None, "bytes=100000-", "bytes=150000-"]
    assert file_server.if_ranges == [None, '"v1"', '"v1"']


def test_a_later_call_goes_on_where_the_first_gave_up(file_server, answer, target):
    file_server.answers = [answer(CONTENT, cut_after=100_000), answer(b"", status=503)]
    with pytest.raises(DownloadError, match=r"100000 bytes and 3 attempts .*503.*run it again"):
        download(wanted(file_server.url, attempts=3), target)
    assert left_in(target) == ["model.pth.etag", "model.pth.part"]
    file_server.answers = [answer(CONTENT)]
    file_server.ranges.clear()
    download(wanted(file_server.url), target)
    assert target.read_bytes() == CONTENT
    assert file_server.ranges == ["bytes=100000-"]
    assert file_server.if_ranges[-1] == '"v1"'
    assert left_in(target) == ["model.pth"]


def test_interrupting_keeps_what_arrived_but_makes_no_file(file_server, answer, target):
    file_server.answers = [answer(CONTENT)]

    def stop(done: int, _total: int | None) -> None:
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(wanted(file_server.url), target, stop)
    assert not target.exists()
    held = (target.parent / "model.pth.part").stat().st_size
    download(wanted(file_server.url), target)
    assert file_server.ranges == [None, f"bytes={held}-"]
    assert target.read_bytes() == CONTENT


def test_server_that_ignores_ranges_sends_all_again(file_server, answer, target):
    file_server.answers = [
        answer(CONTENT, accepts_ranges=False, cut_after=100_000),
        answer(CONTENT, accepts_ranges=False),
    ]
    download(wanted(file_server.url), target)
    assert file_server.ranges == [None, "bytes=100000-"]
    assert target.read_bytes() == CONTENT


def test_changed_file_is_not_glued_to_the_old_part(file_server, answer, target):
    file_server.answers = [
        answer(OTHER, etag='"old"', cut_after=100_000),
        answer(CONTENT, etag='"new"'),
    ]
    download(wanted(file_server.url), target)
    assert file_server.if_ranges == [None, '"old"']
    assert len(file_server.ranges) == 2
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_changed_file_without_a_strong_tag_is_fetched_again(file_server, answer, target, etag):
    file_server.answers = [
        answer(OTHER, etag=etag, cut_after=100_000),
        answer(CONTENT, etag=etag),
    ]
    download(wanted(file_server.url), target)
    assert file_server.if_ranges == [None, None, None]
    assert file_server.ranges == [None, "bytes=100000-", None]
    assert target.read_bytes() == CONTENT


def test_part_longer_than_the_file_starts_over_after_416(file_server, answer, target):
    (target.parent / "model.pth.part").write_bytes(bytes(len(CONTENT) + 5))
    file_server.answers = [answer(CONTENT)]
    download(wanted(file_server.url), target)
    assert file_server.ranges == [f"bytes={len(CONTENT) + 5}-", None]
    assert target.read_bytes() == CONTENT


def test_wrong_span_is_not_appended(file_server, answer, target):
    file_server.answers = [
        answer(CONTENT, cut_after=100_000),
        answer(CONTENT, content_range="bytes 7-299999/300000"),
        answer(CONTENT),
    ]
    download(wanted(file_server.url), target)
    assert file_server.ranges == [None, "bytes=100000-", None]
    assert target.read_bytes() == CONTENT


def test_corrupted_content_is_deleted_and_both_hashes_are_named(file_server, answer, target):
    bad = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    file_server.answers = [answer(bad)]
    with pytest.raises(DownloadError) as caught:
        download(wanted(file_server.url), target)
    assert hashlib.sha256(CONTENT).hexdigest() in str(caught.value)
    assert hashlib.sha256(bad).hexdigest() in str(caught.value)
    assert left_in(target) == []
    assert len(file_server.ranges) == 1


def test_damaged_part_is_replaced(file_server, answer, target):
    (target.parent / "model.pth.part").write_bytes(bytes(100_000))
    file_server.answers = [answer(CONTENT)]
    download(wanted(file_server.url), target)
    assert file_server.ranges == ["bytes=100000-", None]
    assert target.read_bytes() == CONTENT


def test_complete_part_needs_no_network(target):
    (target.parent / "model.pth.part").write_bytes(CONTENT)
    download(wanted("http://127.0.0.1:9/nobody-listens"), target)
    assert target.read_bytes() == CONTENT


def test_missing_file_is_final_and_named(file_server, answer, target):
    file_server.answers = [answer(b"", status=404)]
    with pytest.raises(DownloadError, match=r"model\.pth: the server answered HTTP 404"):
        download(wanted(file_server.url), target)
    assert len(file_server.ranges) == 1
    assert left_in(target) == []


def test_busy_server_is_asked_again(file_server, answer, target):
    file_server.answers = [answer(b"", status=503), answer(b"", status=429), answer(CONTENT)]
    download(wanted(file_server.url), target)
    assert target.read_bytes() == CONTENT


def test_unreachable_server_is_named_after_the_attempts(target):
    with pytest.raises(DownloadError, match=r"after 0 bytes and 2 attempts .*refused"):
        download(wanted("http://127.0.0.1:9/model.pth", attempts=2), target)
    assert left_in(target) == []


@pytest.mark.parametrize("hides_length", [False, True])
def test_too_large_a_file_is_not_kept(file_server, answer, target, hides_length):
    file_server.answers = [answer(CONTENT, hides_length=hides_length)]
    steps = []
    with pytest.raises(DownloadError, match="at most 200000 bytes were expected"):
        download(
            wanted(file_server.url, max_bytes=200_000), target, lambda *step: steps.append(step)
        )
    assert left_in(target) == []
    assert bool(steps) == hides_length  # an announced length is refused before the first byte


def test_redirect_on_this_machine_is_followed(file_server, answer, target):
    file_server.answers = [answer(b"", status=302, location="/elsewhere.pth"), answer(CONTENT)]
    download(wanted(file_server.url), target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "location", ["http://example.org/model.pth", "ftp://127.0.0.1/model.pth", "file:///etc/passwd"]
)
def test_redirect_to_an_unsafe_address_is_refused(file_server, answer, target, location):
    file_server.answers = [answer(b"", status=302, location=location)]
    with pytest.raises(DownloadError):
        download(wanted(file_server.url), target)
    assert len(file_server.ranges) == 1
    assert left_in(target) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/model.pth",
        "http://127.0.0.1.example.org/model.pth",
        "ftp://127.0.0.1/model.pth",
        "file:///etc/passwd",
        "https:///model.pth",
        "model.pth",
    ],
)
def test_addresses_other_than_https_are_refused_before_connecting(url, target):
    with pytest.raises(DownloadError, match="must use https"):
        download(wanted(url), target)
    assert left_in(target) == []


def test_a_page_elsewhere_cannot_send_us_to_this_machine():
    from urllib.request import Request

    from napari_gmff.weights.addresses import _CheckedRedirects

    with pytest.raises(DownloadError, match="must use https"):
        _CheckedRedirects().redirect_request(
            Request("https://example.org/a"), None, 302, "", None, "http://127.0.0.1/admin"
        )


def test_second_process_on_the_same_file_is_told_so(target):
    with (
        PartFile.opened(target),
        pytest.raises(DownloadError, match="another process"),
        PartFile.opened(target),
    ):
        pass


def test_unwritable_folder_is_an_output_error(file_server, answer, tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        download(wanted(file_server.url), tmp_path / "not-there" / "model.pth")
    assert file_server.ranges == []


def test_full_disk_is_an_output_error_and_not_asked_again(
    file_server, answer, target, files_limited_to
):
    file_server.answers = [answer(CONTENT)]
    with (
        files_limited_to(100_000),
        pytest.raises(OutputError, match=os.strerror(errno.EFBIG)),
    ):
        download(wanted(file_server.url), target)
    assert not target.exists()
    assert len(file_server.ranges) == 1
    download(wanted(file_server.url), target)
    assert file_server.ranges[1] == "bytes=100000-"
    assert target.read_bytes() == CONTENT


def test_https_is_used_only_with_a_certificate_that_is_trusted(
    https_server, answer, target, monkeypatch
):
    files, certificate = https_server
    files.answers = [answer(CONTENT)]
    with pytest.raises(DownloadError, match=r"refused, .*self-signed certificate"):
        download(wanted(files.url), target)
    assert left_in(target) == []
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    download(wanted(files.url), target)
    assert target.read_bytes() == CONTENT
    assert files.ranges == [None]
