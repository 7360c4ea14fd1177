"""Errors of workers as notifications: one sentence for ours, the whole story for others."""

from __future__ import annotations

from napari.utils.notifications import show_error

from napari_gmff.errors import GmffError


def show_failure(error: BaseException) -> None:
    """Show what went wrong in a worker; called in the window's thread.

    Parameters
    ----------
    error : BaseException
        One of ours is shown as the sentence it is.

    Raises
    ------
    BaseException
        Any other, so that napari shows where it came from.
    """
    if isinstance(error, GmffError):
        show_error(str(error))
        return
    raise error
