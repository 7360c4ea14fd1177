"""The stack of a fusion that was opened from disk, where it is open in the viewer as well."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_gmff._napari.layers.layer_stacks import is_image, stack_of, understood
from napari_gmff._napari.layers.result_sets import METADATA_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from napari.layers import Layer

    from napari_gmff._napari.layers.stack_views import StackView
    from napari_gmff.reading.stack import FocusStack


def views_like(layers: Iterable[Layer], provenance: Mapping[str, Any]) -> list[StackView]:
    """Return what may be the stack that a record tells of, by sizes and pixel type alone.

    Parameters
    ----------
    layers : iterable of napari.layers.Layer
        Of a viewer.
    provenance : mapping
        Record of a fusion.

    Returns
    -------
    list of StackView
        One for each stack; no pixel is read.
    """
    source = provenance["source"]
    lengths = dict(zip(source["axes"], source["shape"], strict=True))
    wanted = [lengths.get(axis, 1) for axis in "TZYX"]
    found: dict[int, StackView] = {}
    for layer in layers:
        if not is_image(layer) or METADATA_KEY in layer.metadata:
            continue
        view = understood(layer, layers)
        sizes = [view.n_times, view.n_slices, *view.shape_yx]
        if not view.problems and sizes == wanted and view.dtype == source["dtype"]:
            found.setdefault(id(view.source or layer), view)
    return list(found.values())


@contextmanager
def stack_among(
    views: Iterable[StackView], provenance: Mapping[str, Any]
) -> Iterator[FocusStack | None]:
    """Yield the stack that a record tells of, told by its fingerprint; None if it is not there.

    It is given back at the end. A few patches of each stack are read, so this is for a thread.
    """
    for view in views:
        with stack_of(view) as stack:
            if stack.fingerprint == provenance["source"]["fingerprint"]:
                yield stack
                return
    yield None
