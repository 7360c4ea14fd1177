from __future__ import annotations

import pytest

from napari_gmff.errors import GmffError, OutputError, ParameterError, SourceError
from napari_gmff.failures import only_our_errors, reading


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(5, "Input/output error"), "a.tif: cannot be read (Input/output error)"),
        (ValueError("not a dataset"), "a.tif: cannot be read (not a dataset)"),
        (RuntimeError(), "a.tif: cannot be read (RuntimeError)"),
    ],
)
def test_errors_of_reading_name_the_source(error: Exception, message: str) -> None:
    with pytest.raises(SourceError) as raised, reading("a.tif"):
        raise error
    assert str(raised.value) == message
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("error", [ParameterError("mine"), MemoryError(), KeyboardInterrupt()])
def test_what_is_no_failure_of_reading_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as raised, reading("a.tif"):
        raise error
    assert raised.value is error


@pytest.mark.parametrize("error", [OutputError("full"), ValueError("bug"), KeyboardInterrupt()])
def test_other_errors_of_a_run_pass(error: BaseException) -> None:
    with pytest.raises(type(error)) as raised, only_our_errors("a.tif"):
        raise error
    assert raised.value is error


def test_a_runtime_error_becomes_one_of_ours() -> None:
    with (
        pytest.raises(GmffError, match=r"a.tif: fusing failed") as raised,
        only_our_errors("a.tif"),
    ):
        raise RuntimeError("CUDA error")
    assert not isinstance(raised.value, RuntimeError)
