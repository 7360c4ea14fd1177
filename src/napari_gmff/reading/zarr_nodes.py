"""Groups and arrays of a zarr: missing ones told from damaged ones."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from napari_gmff.errors import SourceError
from napari_gmff.reading.messages import first_line

if TYPE_CHECKING:
    import zarr


def open_node(address: str) -> zarr.Array[Any] | zarr.Group:
    """Open the group or array at an address.

    Parameters
    ----------
    address : str
        Folder or address.

    Raises
    ------
    SourceError
        If there is none, it is damaged, or cannot be reached.
    """
    import zarr

    try:
        return zarr.open(address, mode="r")
    except ImportError as error:
        raise SourceError(
            f"{address}: reading this address needs another package ({error})"
        ) from None
    # zarr raises many kinds for damaged metadata and unreachable addresses.
    except Exception as error:
        raise SourceError(f"{address}: not a readable OME-Zarr ({first_line(error)})") from error


def member(address: str, group: zarr.Group, path: str) -> zarr.Array[Any] | zarr.Group | None:
    """Open a group or array within a group.

    Parameters
    ----------
    address : str
        Of the group, for messages.
    group : zarr.Group
        Where to look.
    path : str
        Within the group.

    Returns
    -------
    zarr.Array, zarr.Group or None
        None if it is missing.

    Raises
    ------
    SourceError
        If its metadata are damaged.
    """
    try:
        return group[path]
    except KeyError:
        return None
    # zarr raises many kinds for damaged metadata: of JSON, of text, of too deep a nesting.
    except Exception as error:
        raise SourceError(
            f"{address}: its part {path!r} is damaged ({first_line(error)})"
        ) from error


def numbered_groups(address: str, group: zarr.Group) -> list[str]:
    """Return the paths of the groups within a group that are numbers, in their order.

    Parameters
    ----------
    address : str
        Of the group, for messages.
    group : zarr.Group
        Where to look.

    Raises
    ------
    SourceError
        If the metadata of one of them are damaged.
    """
    try:
        with warnings.catch_warnings():
            # It warns of every file that is no part of a zarr, such as a file of notes.
            warnings.simplefilter("ignore")
            return sorted((key for key in group.group_keys() if key.isdecimal()), key=int)
    except Exception as error:
        raise SourceError(
            f"{address}: one of its parts is damaged ({first_line(error)})"
        ) from error
