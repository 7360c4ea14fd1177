"""Folders of models that appear whole, under their name, or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_gmff.errors import OutputError


def hidden_sibling(parent: Path, purpose: str) -> Path:
    """Return a free name in `parent` that no listing of models shows."""
    # The leading dot keeps it out of listings, whatever becomes of this process.
    return parent / f".{purpose}-{os.getpid()}-{secrets.token_hex(4)}"


@contextmanager
def staged_folder(parent: Path) -> Iterator[Path]:
    """Yield a hidden new folder in `parent`, gone at the end unless `publish` moved it.

    Raises
    ------
    OutputError
        If `parent` cannot be written.
    """
    staged = hidden_sibling(parent, "partial")
    try:
        staged.mkdir(parents=True)
        yield staged
    except OutputError:  # is an OSError too, and says more
        raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OutputError(f"{parent}: cannot store a model ({reason})") from None
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def publish(staged: Path, target: Path) -> None:
    """Move a finished folder to its name, where it replaces what was there.

    Raises
    ------
    OSError
        If it cannot be moved; what was there is then there again.
    """
    if not os.path.lexists(target):
        staged.rename(target)
        return
    old = hidden_sibling(target.parent, "replaced")
    target.rename(old)
    try:
        staged.rename(target)
    except BaseException:
        old.rename(target)
        raise
    if old.is_symlink():
        old.unlink()
    else:
        shutil.rmtree(old, ignore_errors=True)
