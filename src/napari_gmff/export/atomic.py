"""Outputs that appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_gmff.errors import OutputError

_PARTIAL = re.compile(r"^\.(?P<name>.+)\.(?:partial|replaced)-(?P<pid>\d+)-[0-9a-f]{8}$")
_NAME_LIMIT = 40
"""Letters kept of an output's name: a name ends at 255 bytes, and a letter may take four."""

UNFINISHED = ".unfinished"
"""End of the name of a folder that holds unfinished work."""

_WRITE_ERRORS = {
    getattr(errno, name)
    for name in (
        "ENOSPC", "EFBIG", "EDQUOT", "EACCES", "EPERM", "EROFS", "ENAMETOOLONG", "ENOTDIR",
        "EMFILE", "ENFILE",
    )
    if hasattr(errno, name)
}  # fmt: skip

_REMOVAL_TRIES = 20

SWEEPS, SWEEP_PAUSE_S = 3, 0.03
"""How often, and after what pause, what failed is looked after once it is deleted."""


@contextmanager
def translate_os_errors(output: str | Path) -> Iterator[None]:
    """Turn errors of writing `output` into one sentence that names it.

    Errors that name another file pass unchanged, so that the block may read a source too.

    Raises
    ------
    OutputError
        For any error of a file within `output`, and for errors such as a full disk, which name
        no file.
    """
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        nameless = error.filename is None and error.errno in _WRITE_ERRORS
        if nameless or _concerns(error, Path(output)):
            reason = error.strerror or type(error).__name__
            raise OutputError(f"{output}: cannot be written ({reason})") from error
        raise


def _concerns(error: OSError, output: Path) -> bool:
    # Copying names the source first and the target second. Libraries may have made the path
    # absolute before they opened it.
    names = [name for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    paths = [Path(os.path.abspath(os.fsdecode(name))) for name in names]
    return any(path.is_relative_to(os.path.abspath(output)) for path in paths)


@contextmanager
def staging(out: str | Path, overwrite: bool = False, *, is_file: bool = False) -> Iterator[Path]:
    """Yield a hidden folder beside `out` that takes its name when the block succeeds.

    Everything is checked before the block starts. Whatever ends the block early, an interrupt
    or a closed generator included, deletes the partial output; an older output stays as it was.

    Parameters
    ----------
    out : str or Path
        Folder (or file) to publish.
    overwrite : bool
        Replace an existing result of this program. The old one is moved aside and deleted only
        once the new one is in place.
    is_file : bool
        Yield an empty file instead of a folder; with `overwrite`, any file may be replaced.

    Yields
    ------
    Path
        Existing empty folder (or file) to fill.

    Raises
    ------
    OutputError
        If `out` exists (without `overwrite`), would replace something that is not a result of
        this program, its folder is missing, or it cannot be written.
    """
    out = Path(out)
    check_output(out, overwrite, is_file=is_file)
    partial = hidden_sibling(out, "partial")
    with translate_os_errors(out), named_as(out, partial):
        try:
            if is_file:
                partial.touch(exist_ok=False)
            else:
                partial.mkdir()
            yield partial
            publish(partial, out, overwrite, is_file)
        except BaseException:
            remove(partial)
            _sweep_late_writes(partial)
            raise


def _sweep_late_writes(path: Path) -> None:
    """Delete what threads wrote that had begun before a write of another one failed.

    They make the folders anew that they write to.
    """
    for _ in range(SWEEPS):
        time.sleep(SWEEP_PAUSE_S)
        remove(path)


def check_output(out: Path, overwrite: bool, *, is_file: bool = False) -> None:
    """Check that `out` may be written; see `staging` for the rules and the error."""
    if out.name in ("", ".."):
        raise OutputError(f"{out}: an output needs a name of its own")
    if not out.parent.is_dir():
        raise OutputError(f"{out}: {out.parent} must be an existing folder")
    if not os.path.lexists(out):
        return
    if not overwrite:
        raise OutputError(f"{out}: already exists, and is only replaced with --overwrite")
    if is_file and out.is_file():
        return
    if not out.is_dir() or is_file:
        found = "folder" if out.is_dir() else "file"
        raise OutputError(f"{out}: is a {found} that is no result of napari-gmff, not replaced")
    if any(out.iterdir()) and not is_result(out):
        raise OutputError(
            f"{out}: only a result of napari-gmff is replaced, and this folder holds other files"
        )


def is_result(folder: Path) -> bool:
    """Whether the folder is an OME-Zarr or OME-TIFF result of this program."""
    from napari_gmff.errors import SourceError
    from napari_gmff.provenance import read_provenance

    try:
        read_provenance(folder)
    except SourceError:
        return False
    return True


def check_not_source(out: str | Path, sources: Iterable[str | Path]) -> None:
    """Refuse an output that is, contains or lies in a source.

    Parameters
    ----------
    out : str or Path
        Where the result is to go.
    sources : iterable of str or Path
        Files and folders that the stack is read from.

    Raises
    ------
    OutputError
        Naming both.
    """
    target = Path(out).resolve()
    for source in sources:
        place = Path(source).resolve()
        if target == place or target in place.parents or place in target.parents:
            raise OutputError(f"{out}: must lie apart from the source {source}")


def stale_partials(folder: str | Path) -> list[Path]:
    """Find partial outputs, and replaced ones, that a killed program left in `folder`.

    Returns
    -------
    list of Path
        Those whose program no longer runs, sorted; on Windows none, as it cannot be asked safely.
    """
    matches = ((path, _PARTIAL.match(path.name)) for path in sorted(Path(folder).iterdir()))
    return [path for path, match in matches if match and not _is_running(int(match["pid"]))]


def _is_running(pid: int) -> bool:
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def unfinished_folder(out: Path) -> Path:
    """Return where unfinished work for `out` is kept: one hidden folder of a fixed name."""
    name = out.name
    if len(name) > _NAME_LIMIT:
        digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=4)
        name = f"{name[:_NAME_LIMIT]}-{digest.hexdigest()}"
    return out.with_name(f".{name}{UNFINISHED}")


def hidden_sibling(out: Path, what: str) -> Path:
    """Return a hidden name beside `out` that nobody else takes."""
    name = f".{out.name[:_NAME_LIMIT]}.{what}-{os.getpid()}-{secrets.token_hex(4)}"
    return out.with_name(name)


@contextmanager
def named_as(out: Path, partial: Path) -> Iterator[None]:
    """Name the output, not the hidden folder nobody knows, in errors from inside."""
    try:
        yield
    except OutputError as error:
        hidden = rf"\S*{re.escape(partial.name)}[^:\s]*"
        message = re.sub(hidden, lambda _: str(out), str(error))
        if message == str(error):
            raise
        raise OutputError(message) from error
    except OSError as error:
        if _concerns(error, partial):
            reason = error.strerror or type(error).__name__
            raise OutputError(f"{out}: cannot be written ({reason})") from error
        raise


def publish(partial: Path, out: Path, overwrite: bool, is_file: bool = False) -> None:
    """Give a finished output its name.

    Raises
    ------
    OutputError
        If something took the name that may not be replaced; see `staging`.
    OSError
        If it cannot be renamed; an older output is then back in its place.
    """
    # Something may have taken the name during the hours of a run.
    check_output(out, overwrite, is_file=is_file)
    if not os.path.lexists(out):
        partial.rename(out)
        return
    aside = hidden_sibling(out, "replaced")
    out.rename(aside)
    try:
        partial.rename(out)
    except BaseException:
        if not os.path.lexists(out):
            aside.rename(out)
        raise
    try:
        remove(aside)
    except BaseException:
        remove(aside)
        raise


def remove(path: Path) -> None:
    """Delete a file, a link, or a folder with all that is in it; nothing if it is not there."""
    if path.is_dir() and not path.is_symlink():
        # A write that another thread had begun before this one failed may still add a file.
        for _ in range(_REMOVAL_TRIES):
            shutil.rmtree(path, ignore_errors=True)
            if not path.exists():
                return
            time.sleep(0.05)
    else:
        path.unlink(missing_ok=True)
