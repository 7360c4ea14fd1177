"""diffusers, or one line that says how to get it."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from napari_gmff.errors import GmffError

INSTALL = "pip install 'napari-gmff[restoration]'"


def has_diffusers() -> bool:
    """Tell, without importing it, whether diffusers is installed."""
    return find_spec("diffusers") is not None


def diffusers_module(name: str = "diffusers") -> Any:
    """Return diffusers, or a module of it, which takes seconds to import.

    Raises
    ------
    GmffError
        If it is not installed, or cannot be imported; says what to install.
    """
    if not has_diffusers():
        raise GmffError(f"restoration needs diffusers, which is not installed: {INSTALL}")
    try:
        return import_module(name)
    except (ImportError, RuntimeError) as error:  # diffusers makes RuntimeErrors of ImportErrors
        reason = str(error).strip().splitlines()[-1]
        raise GmffError(
            f"restoration needs diffusers, which cannot be imported ({reason}): {INSTALL}"
        ) from error
