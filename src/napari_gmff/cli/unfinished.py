"""What `fuse` says of runs that were stopped, and of its own when it is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.errors import ParameterError, ResumeError, WeightsError

if TYPE_CHECKING:
    from napari_gmff.unfinished.leftovers import Leftover
    from napari_gmff.unfinished.work import EarlierWork

GO_ON = "the same command with --resume goes on"


def warn_of_leftovers(out: Path) -> None:
    """Name what stopped runs left beside an output; it may be a colleague's, so all is kept."""
    from napari_gmff.export.atomic import stale_partials
    from napari_gmff.unfinished.leftovers import find_leftovers

    for partial in stale_partials(out.parent):
        _warn(f"{partial}: left by a run that was killed, delete it if it is yours")
    for left in find_leftovers(out.parent):
        # Of this very output the run itself says what becomes of it.
        if left.out.name == out.name:
            continue
        if left.n_windows:
            _warn(
                f"{left.folder}: unfinished work for {left.out} ({left.amount} done); "
                f"{_how_to_go_on(left)}, or delete it if it is yours"
            )
        else:
            _warn(f"{left.folder}: left by a run that was killed, delete it if it is yours")


@contextmanager
def naming_unfinished(out: Path) -> Iterator[None]:
    """Add to whatever ends the block early what is kept of it, and how to go on."""
    from napari_gmff.unfinished.leftovers import leftover_of

    try:
        yield
    except (ParameterError, ResumeError, WeightsError):
        raise  # with the same command it would only be raised again
    except BaseException as error:
        left = leftover_of(out)
        if left is not None and left.n_windows:
            error.add_note(f"{left.amount} are done and kept; {GO_ON}")
        raise


def tell_of_earlier(earlier: EarlierWork | None, *, is_resumed: bool, is_quiet: bool) -> None:
    """Say on stderr what was found of an earlier run, above a bar if there is one."""
    if earlier is None:
        text = "nothing to resume, starting from the beginning" if is_resumed else ""
    elif not earlier.is_continued:
        done = "1 window" if earlier.n_windows == 1 else f"{earlier.n_windows} windows"
        text = f"warning: unfinished work ({done} done) is replaced; --resume would continue it"
        is_quiet = False
    else:
        text = f"resumed: {earlier.n_windows} of {earlier.n_total} windows done already"
        if earlier.n_damaged:
            text += f", {earlier.n_damaged} of them damaged and done again"
    if text and not is_quiet:
        _write(f"napari-gmff: {text}")


def _how_to_go_on(left: Leftover) -> str:
    from napari_gmff.commands import as_command_line
    from napari_gmff.params import FuseParams, ReadParams, validated

    record = left.record
    if record is None or not record.sources:
        return GO_ON
    try:
        values = record.parameters
        fuse, read = (
            {name: value for name, value in values.items() if name in model.model_fields}
            for model in (FuseParams, ReadParams)
        )
        command = as_command_line(
            record.sources, validated(FuseParams, fuse), read, output=str(left.out)
        )
    except ParameterError:  # of another version
        return GO_ON
    format = record.identity.get("format")
    flags = f" --format {format}" if format not in (None, "ome-zarr") else ""
    return f"'{command}{flags} --resume' goes on"


def _warn(text: str) -> None:
    print(f"napari-gmff: warning: {text}", file=sys.stderr)


def _write(text: str) -> None:
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)
