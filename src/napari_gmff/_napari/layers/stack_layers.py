"""A focus stack as lazy image layers, and the file behind them kept open while they live."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_gmff._napari.layers.display_range import display_range
from napari_gmff.marks import mark_facts, marked, unmarked

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import NDArray

    from napari_gmff.reading.stack import Channel, FocusStack

SOURCE_KEY = "gmff_source"
"""Key of `layer.metadata` under which a layer keeps the `StackSource` that it shows."""

RESTORED_KEY = "gmff_restored"
"""Key under which a layer says that a generative model made pixels of the stack it shows."""

LayerTuple = tuple[Any, dict[str, Any], str]

_SUFFIXES = (".ome.tiff", ".ome.tif", ".ome.btf", ".companion.ome", ".ome.zarr", ".tiff", ".tif",
             ".btf", ".zarr")  # fmt: skip

# Names that napari lists in its menu; other colours become a colormap of their own.
_NAMES = {
    "FF0000": "red",
    "00FF00": "green",
    "0000FF": "blue",
    "00FFFF": "cyan",
    "FF00FF": "magenta",
    "FFFF00": "yellow",
    "FFFFFF": "gray",
}
# For files that name no colours; magenta and green stay apart for most colour vision.
_TWO_CHANNELS = ("magenta", "green")
_MORE_CHANNELS = ("cyan", "magenta", "yellow", "red", "green", "blue")


@dataclass(eq=False, repr=False)
class StackSource:
    """A stack that layers show, and where it came from.

    All channel layers of a stack hold the same object. Its files are closed when the last layer
    and the last stack that `lend` gave are gone.

    Attributes
    ----------
    stack : FocusStack
        What was read; `lend` gives it to those who may outlive the layers.
    origin : str or None
        Path of the file or folder as the user gave it; None for a stack without a file.
    read_options : dict
        Options of `read_stack` that differ from their defaults, such as ``{"series": 2}``.
    notes : tuple of str
        What the reader had to assume, and what the layers show otherwise than it is.
    name : str
        What the layers call the stack.
    shown : tuple of str
        Names of the arrays in the layers, one for each channel, by which a layer that was given
        other data is told.
    """

    stack: FocusStack
    origin: str | None = None
    read_options: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = field(init=False, default=())
    name: str = field(init=False, default="")
    shown: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        """Arrange that the files are closed with this object at the latest."""
        weakref.finalize(self, self.stack.close)
        self.name = short_name(self.stack.name)
        self.notes = self.stack.notes + _uneven_notes(self.stack)

    def __repr__(self) -> str:
        """Name the stack; layers print their metadata."""
        return f"StackSource({self.origin or self.name!r})"

    def __copy__(self) -> Self:
        """Stay the same object: napari copies the metadata of layers."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Stay the same object: open files cannot be copied."""
        return self

    def lend(self) -> FocusStack:
        """Return the stack for use beyond the layers.

        Returns
        -------
        FocusStack
            The files stay open at least until its `close`, which leaves them to the layers.
        """
        return replace(self.stack, _close=_Loan(self))


class _Loan:
    """Keeps a source alive until it is called."""

    def __init__(self, source: StackSource) -> None:
        self._source: StackSource | None = source

    def __call__(self) -> None:
        self._source = None


def source_of(metadata: dict[str, Any]) -> StackSource | None:
    """Return the source that the metadata of a layer name, None if they name none."""
    found = metadata.get(SOURCE_KEY)
    return found if isinstance(found, StackSource) else None


def layers_of_stack(source: StackSource, name: str | None = None) -> list[LayerTuple]:
    """Describe the layers that show a stack, without reading a whole plane.

    Parameters
    ----------
    source : StackSource
        What to show.
    name : str, optional
        Name of the layers; that of the stack without its ending where left out.

    Returns
    -------
    list of (data, dict, str)
        One multiscale image layer for each channel, axes (T)ZYX, or one of RGB(A) for colour
        samples. T of length 1 is left out, and Z too where it is the only slice. Scale and
        position are in µm where the source says so; other axes have scale 1 and unit ``"pixel"``.
    """
    stack = source.stack
    name = source.name = name or source.name
    axes = shown_axes(stack)
    colormaps = channel_colormaps(stack.channels)
    layers: list[LayerTuple] = []
    names: list[str] = []
    for number, channel in enumerate(stack.channels):
        levels = [_channel(level, number, axes) for level in stack.levels]
        names.append(levels[0].name)
        several = stack.n_channels > 1
        title = f"{name} {unmarked(channel.name)}" if several else name
        restored = {RESTORED_KEY: mark_facts(stack.metadata)} if stack.is_restored else {}
        kwargs: dict[str, Any] = {
            "name": marked(title) if stack.is_restored else title,
            "metadata": {SOURCE_KEY: source, **restored},
            "multiscale": len(levels) > 1,
            "axis_labels": tuple(axes.lower()),
            **placement_of(stack, axes),
        }
        if stack.has_samples:
            kwargs["rgb"] = True
        else:
            kwargs["colormap"] = colormaps[number]
            kwargs["contrast_limits"] = display_range(stack, number)
        if several:
            kwargs["blending"] = "additive"
        layers.append((levels if len(levels) > 1 else levels[0], kwargs, "image"))
    source.shown = tuple(names)
    return layers


def short_name(name: str) -> str:
    """Return the name of a file or folder without the ending of an image."""
    for suffix in _SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def shown_axes(stack: FocusStack) -> str:
    """Return the axes of the layers of a stack, of ``"TZYX"``, without colour samples."""
    t_axis = "T" if stack.n_times > 1 else ""
    z_axis = "Z" if stack.n_slices > 1 else ""
    return f"{t_axis}{z_axis}YX"


def placement_of(stack: FocusStack, axes: str) -> dict[str, Any]:
    """Say where the layers of a stack lie in the world.

    Parameters
    ----------
    stack : FocusStack
        What is shown.
    axes : str
        Axes of the layers, of ``"TZYX"``.

    Returns
    -------
    dict
        ``scale``, ``translate`` and ``units``, one entry for each axis. A stack whose z falls has
        a negative scale there, so that the world's z is the microscope's.
    """
    _, y_um, x_um = stack.voxel_size_um
    y0_um, x0_um = stack.origin_yx_um
    along: dict[str, tuple[float, float, str]] = {"T": (1.0, 0.0, "pixel")}
    along["Z"] = _along_z(stack.z_positions_um)
    known = y_um is not None and x_um is not None
    along["Y"] = (y_um, y0_um, "um") if known and y_um else (1.0, 0.0, "pixel")
    along["X"] = (x_um, x0_um, "um") if known and x_um else (1.0, 0.0, "pixel")
    scale, translate, units = zip(*(along[axis] for axis in axes), strict=True)
    return {"scale": scale, "translate": translate, "units": units}


def _along_z(z_um: NDArray[np.float64] | None) -> tuple[float, float, str]:
    if z_um is None:
        return 1.0, 0.0, "pixel"
    if len(z_um) < 2:
        return 1.0, float(z_um[0]), "um"
    step_um = float(z_um[-1] - z_um[0]) / (len(z_um) - 1)
    if step_um == 0:  # up and down again: any step shows all slices, none shows where they are
        step_um = float(np.abs(np.diff(z_um)).mean()) or 1.0
    return step_um, float(z_um[0]), "um"


def _uneven_notes(stack: FocusStack) -> tuple[str, ...]:
    z_um = stack.z_positions_um
    if z_um is None or len(z_um) < 3:
        return ()
    steps = np.diff(z_um)
    if np.ptp(steps) <= 1e-3 * np.abs(steps).max():
        return ()
    mean = _along_z(z_um)[0]
    return (
        f"The slices are unevenly spaced; the viewer shows them {abs(mean):.4g} µm apart (the "
        "mean). Depth uses their true positions.",
    )


def _channel(level: da.Array, number: int, axes: str) -> da.Array:
    """Take one channel of an array of axes (T, C, Z, Y, X[, S])."""
    time = slice(None) if "T" in axes else 0
    z = slice(None) if "Z" in axes else 0
    return level[time, number, z]


def channel_colormaps(channels: Sequence[Channel]) -> list[str]:
    """Return what colours the layer of each channel.

    Parameters
    ----------
    channels : sequence of Channel
        As the file describes them.

    Returns
    -------
    list of str
        Names of napari's colormaps, or ``"#rrggbb"``, from which napari makes one. Channels
        without a colour get some that most people can tell apart; a single one is grey.
    """
    colors = [channel.color for channel in channels]
    if len(channels) == 1:
        return [_colormap(colors[0]) if colors[0] else "gray"]
    # Programs that know no colours write white for every channel.
    if all(color in (None, "FFFFFF") for color in colors):
        colors = [None] * len(colors)
    palette = _TWO_CHANNELS if len(channels) == 2 else _MORE_CHANNELS
    return [
        _colormap(color) if color else palette[number % len(palette)]
        for number, color in enumerate(colors)
    ]


def _colormap(color: str) -> str:
    return _NAMES.get(color.upper(), f"#{color.lower()}")
