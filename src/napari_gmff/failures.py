"""Errors of others made ours: one sentence each, and never a `RuntimeError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari_gmff.errors import GmffError, OutputError, SourceError


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn whatever goes wrong while pixels are read into one sentence that names them.

    A lazy array may be anyone's: a closed HDF5 file, a lost network drive and a damaged chunk all
    raise errors of their own.

    Raises
    ------
    SourceError
        For any other error than one of ours and a lack of memory.
    """
    try:
        yield
    except (GmffError, MemoryError):
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise SourceError(f"{what}: cannot be read ({reason})") from error


@contextmanager
def only_our_errors(name: str, doing: str = "fusing") -> Iterator[None]:
    """Let no `RuntimeError` out, which napari's generator workers would swallow, and no `OSError`.

    Sources and outputs name theirs; what remains concerns temporary files.

    Parameters
    ----------
    name : str
        What is worked on.
    doing : str
        What is done with it, for the message.

    Raises
    ------
    OutputError
        In place of an `OSError`.
    GmffError
        In place of a `RuntimeError`.
    """
    try:
        yield
    except GmffError:
        raise
    except RuntimeError as error:
        raise GmffError(f"{name}: {doing} failed ({type(error).__name__}: {error})") from error
    except OSError as error:
        where = error.filename or "temporary files"
        raise OutputError(f"{where}: cannot be written ({error.strerror or error})") from error
