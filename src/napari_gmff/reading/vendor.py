"""Makers' own file formats, read by packages that users install: CZI, LIF and ND2."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from napari_gmff.errors import GmffError, SourceError
from napari_gmff.reading.messages import first_line, note_of_more

if TYPE_CHECKING:
    from napari_gmff.reading.stack import FocusStack


class _Kind(NamedTuple):
    """A format: how its files start, what reads it, in which module of ours."""

    start: bytes
    title: str
    package: str
    module: str


_KINDS = {
    "czi": _Kind(b"ZISRAWFILE", "Zeiss CZI", "pylibCZIrw", "vendor_czi"),
    "lif": _Kind(b"\x70\x00\x00\x00", "Leica LIF", "liffile", "vendor_lif"),
    "nd2": _Kind(b"\xda\xce\xbe\x0a", "Nikon ND2", "nd2", "vendor_nd2"),
}

_LIF_MARK = 0x2A
"""Ninth byte of a LIF, whose first four alone are not rare enough."""


@dataclass(frozen=True)
class VendorImage:
    """One image of a file.

    Attributes
    ----------
    name : str
        As the file says, or empty.
    axes : str
        Letters of its axes that are longer than 1, but for T; see `axes.axes_that_count`.
    open : callable
        Makes the stack; raises `SourceError` where it is none that can be fused.
    """

    name: str
    axes: str
    open: Callable[[], FocusStack]


OpenImages = Callable[[Path, ExitStack], list[VendorImage]]
"""What each module offers as `images_in`: the images of a file, and what to close after them."""


def vendor_kind(path: Path) -> str | None:
    """``"czi"``, ``"lif"`` or ``"nd2"`` by the first bytes of a file, None for others."""
    with path.open("rb") as file:
        head = file.read(16)
    for name, kind in _KINDS.items():
        if head.startswith(kind.start) and (name != "lif" or head[8:9] == bytes([_LIF_MARK])):
            return name
    return None


def read_vendor(
    path: Path, kind: str, *, series: int | None = None, axes: str | None = None
) -> FocusStack:
    """Open one image of a maker's file lazily.

    Parameters
    ----------
    path : Path
        Of the file.
    kind : str
        As `vendor_kind` says.
    series : int, optional
        Which image of the file; the first that is a focus stack where left out, with a note if
        there are more.
    axes : str, optional
        Not taken: these files say what their axes are.

    Raises
    ------
    SourceError
        If the package is not installed, or the file cannot be read.
    """
    if axes is not None:
        raise SourceError(
            f"{path}: a {_KINDS[kind].title} file names its axes itself, got {axes!r}"
        )
    with ExitStack() as undo:
        images = _images(path, kind, undo)
        more: tuple[str, ...] = ()
        if series is None:
            numbers = _stacks(images)
            more = note_of_more([_name(images, number) for number in numbers])
            series = numbers[0] if numbers else 0
        if series >= len(images):
            raise SourceError(
                f"{path}: series must be below {len(images)} (it has {len(images)} series), "
                f"got {series}"
            )
        with _damage_named(path, kind):
            stack = images[series].open()
        closing = undo.pop_all()
    metadata = {**stack.metadata, "reader": kind, "series": series}
    return replace(stack, metadata=metadata, notes=stack.notes + more, _close=closing.close)


def vendor_series(path: Path, kind: str) -> list[str]:
    """Return the names of the images of a file."""
    with ExitStack() as closing:
        images = _images(path, kind, closing)
        return [_name(images, number) for number in range(len(images))]


def vendor_places(path: Path, kind: str) -> list[tuple[int, str]]:
    """Return number and name of the images of a file that are positions."""
    with ExitStack() as closing:
        images = _images(path, kind, closing)
        return [(number, _name(images, number)) for number in _stacks(images)]


def _images(path: Path, kind: str, closing: ExitStack) -> list[VendorImage]:
    facts = _KINDS[kind]
    try:
        module = import_module(f"napari_gmff.reading.{facts.module}")
    except ImportError as error:
        raise SourceError(
            f"{path}: reading a {facts.title} file needs the package {facts.package}, which "
            f"pip install 'napari-gmff[vendor]' brings ({first_line(error)})"
        ) from None
    with _damage_named(path, kind):
        images: list[VendorImage] = module.images_in(path, closing)
    if not images:
        raise SourceError(f"{path}: the {facts.title} file holds no images")
    return images


def _stacks(images: Sequence[VendorImage]) -> list[int]:
    with_z = [number for number, one in enumerate(images) if "Z" in one.axes]
    return [number for number in with_z if images[number].axes == images[with_z[0]].axes]


def _name(images: Sequence[VendorImage], number: int) -> str:
    return images[number].name or f"series {number}"


@contextmanager
def _damage_named(path: Path, kind: str) -> Iterator[None]:
    """Turn what a maker's reader raises for a damaged file, which may be anything, into ours."""
    try:
        yield
    except GmffError:
        raise
    # A lack of memory too: headers are small, unless a length in them is damaged.
    except Exception as error:
        raise SourceError(
            f"{path}: damaged or unsupported {_KINDS[kind].title} file ({first_line(error)})"
        ) from error
