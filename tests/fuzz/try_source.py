"""What must hold of any source, however damaged: it works, or is refused in one sentence."""

from __future__ import annotations

import gc
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from napari_gmff.cli.main import main
from napari_gmff.errors import GmffError

TIME_LIMIT_S = 20
"""For all that is done with one source; a healthy one takes a tenth of a second."""

MEMORY_LIMIT_BYTES = 256 * 2**20
"""By which the process may grow; a healthy source takes a few megabytes."""

MOST_PX = 2**20
"""Larger planes are valid, and only their corner is read and fused."""

LONGEST_LINE = 2000


@dataclass(frozen=True)
class Finding:
    """A rule that a source broke.

    Attributes
    ----------
    rule : str
        In short, such as ``"traceback"``.
    place : str
        Where; findings with the same rule and place are taken for the same.
    detail : str
        All that is known.
    """

    rule: str
    place: str
    detail: str


class TookTooLong(BaseException):
    """The time is over; no handler for common errors catches it."""


def try_source(source: Path, *, commands: bool = True) -> Finding | None:
    """Open a source through every door, and fuse it.

    Parameters
    ----------
    source : Path
        File or folder; nothing is written beside it.
    commands : bool
        Also try the commands ``info``, ``methods`` and ``fuse``.

    Returns
    -------
    Finding or None
        The first rule that was broken.
    """
    before_bytes = _memory_bytes("VmRSS")
    _forget_peak()
    try:
        with _time_limit(TIME_LIMIT_S):
            found = _library(source)
            if found is None and commands:
                found = (
                    _command(["info", str(source), "--no-estimate"])
                    or _command(["methods", str(source)])
                    or _fusion(source)
                )
    except TookTooLong as late:
        return Finding("hang", _place(late), _described(late))
    except GmffError as error:
        return Finding("inconsistent", _place(error), _described(error))
    grown_bytes = _memory_bytes("VmHWM") - before_bytes
    if found is None and grown_bytes > MEMORY_LIMIT_BYTES:
        return Finding("memory", source.name, f"grew by {grown_bytes / 2**20:.0f} MB")
    return found


def limit_memory(extra_bytes: int = 4 * MEMORY_LIMIT_BYTES) -> None:
    """Let this process ask for no more address space than it has, and this much."""
    limit = _memory_bytes("VmSize") + extra_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _library(source: Path) -> Finding | None:
    from napari_gmff import read_stack
    from napari_gmff.reading.open import list_series
    from napari_gmff.reading.positions import list_positions

    for use in (_read_all_planes, list_series, list_positions):
        try:
            use(read_stack(source) if use is _read_all_planes else source)
        except GmffError as error:
            if not _is_sentence(str(error)):
                return Finding("not a sentence", _place(error), _described(error))
        except Exception as error:
            rule = "memory" if isinstance(error, MemoryError) else "traceback"
            return Finding(rule, _place(error), _described(error))
    return None


def _read_all_planes(stack: Any) -> None:
    with stack:
        for level in stack.levels:
            _, _, _, height, width = level.shape[:5]
            corner = slice(0, 16) if height * width > MOST_PX else slice(None)
            for z in range(min(level.shape[2], 8)):
                level[0, 0, z, corner, corner].compute(scheduler="synchronous")


def _fusion(source: Path) -> Finding | None:
    with tempfile.TemporaryDirectory(prefix="fuzz-out-") as folder:
        out = Path(folder) / "out.ome.zarr"
        flags = ["--engine", "laplacian-energy", "--quiet", *_limits(source)]
        found = _command(["fuse", str(source), "-o", str(out), *flags])
        left = [name for name in os.listdir(folder) if name != out.name]
        if found is None and left:
            return Finding("leftovers", "beside the output", f"the run left {left}")
        return found


def _limits(source: Path) -> list[str]:
    """Flags that make the fusion of a large source short."""
    from napari_gmff import read_stack

    try:
        with read_stack(source) as stack:
            height, width = stack.shape_yx
            flags = ["--time", "0"] if stack.n_times > 2 else []
            if stack.n_slices > 16:
                flags += ["--z-range", "0:3"]
            if height * width > MOST_PX // 4:
                flags += ["--region", f"0:{min(height, 16)},0:{min(width, 16)}"]
    except GmffError:
        return []
    return flags


def _command(argv: Sequence[str]) -> Finding | None:
    """Run the command line as a user would, and look at its exit code and what it prints."""
    with _captured() as errors:
        try:
            code: object = main(argv)
        except SystemExit as stopped:
            code = stopped.code
        except Exception as error:
            return Finding("traceback", _place(error), _described(error))
    lines = errors[0].splitlines()
    what = f"{argv[0]} ended with {code} and printed {errors[0][:3000]}"
    if code not in (0, 2):
        return Finding("exit code", str(code), what)
    complaints = [line for line in lines if not line.startswith("napari-gmff: warning: ")]
    # Each position that fails has its own line.
    if bool(complaints) != (code == 2):
        return Finding("lines on stderr", argv[0] + _first_words(complaints), what)
    for line in complaints:
        if not line.startswith("napari-gmff: ") or not _is_sentence(line):
            return Finding("not a sentence", _first_words(complaints), what)
        if "out of memory" in line:
            return Finding("memory", argv[0], what)
    return None


def _is_sentence(text: str) -> bool:
    return 10 < len(text) <= LONGEST_LINE and "\n" not in text and "Traceback" not in text


def _first_words(lines: Sequence[str]) -> str:
    return " ".join(lines[0].split()[1:6]) if lines else ""


def _place(error: BaseException) -> str:
    """Name the kind of an error, and where it left our code and came up."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "napari_gmff" in frame.filename] or frames[:1]
    ends = [ours[-1], frames[-1]] if frames and ours[-1] != frames[-1] else ours[-1:]
    names = [f"{Path(frame.filename).stem}.{frame.name}" for frame in ends]
    return f"{type(error).__name__} in {' > '.join(names)}"


def _described(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-6000:]


@contextmanager
def _captured() -> Iterator[list[str]]:
    """Collect what is written to stderr, by C libraries too; nothing is printed."""
    found: list[str] = []
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in (1, 2)]
    with tempfile.TemporaryFile() as error_file, open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(error_file.fileno(), 2)
        try:
            with _own_stderr(), warnings.catch_warnings():
                _show_warnings_as_a_fresh_program_would()
                yield found
        finally:
            sys.stdout.flush()
            for number, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, number)
                os.close(copy)
            error_file.seek(0)
            found.append(error_file.read().decode("utf-8", "replace"))


@contextmanager
def _own_stderr() -> Iterator[None]:
    """Write to the file numbers themselves, whatever pytest put in the place of the streams."""
    before: tuple[IO[str], IO[str]] = sys.stdout, sys.stderr
    sys.stdout = os.fdopen(os.dup(1), "w")
    sys.stderr = os.fdopen(os.dup(2), "w")
    try:
        yield
    finally:
        sys.stdout.close()
        sys.stderr.close()
        sys.stdout, sys.stderr = before


def _show_warnings_as_a_fresh_program_would() -> None:
    warnings.resetwarnings()
    warnings.simplefilter("always")
    for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", kind)


@contextmanager
def _time_limit(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TookTooLong(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _memory_bytes(name: str) -> int:
    """Size of this process as Linux counts it: VmRSS, its peak VmHWM, or VmSize."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"no {name} in /proc/self/status")


def _forget_peak() -> None:
    gc.collect(0)
    Path("/proc/self/clear_refs").write_text("5")


def empty(folder: Path) -> None:
    """Delete all within a folder."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
