"""A depth map as a surface of triangles, for 3D views and mesh files."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.errors import ParameterError
from napari_gmff.export.atomic import staging

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MAX_VERTICES = 1_000_000
"""A surface has at most about this many vertices where no stride is named."""

MESH_SUFFIXES = (".stl", ".ply")

PixelSize = tuple[float | None, float | None]


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles through measured heights.

    Attributes
    ----------
    vertices : ndarray of float32, shape (V, 3)
        Position (z, y, x) of each vertex: z is the height, y runs down the image and x to the
        right, both from the centre of its first pixel. µm, or slices and pixels; see `is_in_um`.
    faces : ndarray of int32, shape (F, 3)
        Vertices of each triangle, counterclockwise for who looks from above, from larger z.
    texcoords : ndarray of float32, shape (V, 2)
        Place (u, v) of each vertex in the image from 0 to 1, u to the right and v upwards, as
        OpenGL and napari count.
    colors : ndarray of uint8, shape (V, 3), or None
        Red, green, blue of each vertex.
    is_in_um : bool
        Whether all three coordinates are in µm; else no file is made of them.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    texcoords: NDArray[np.float32]
    colors: NDArray[np.uint8] | None = None
    is_in_um: bool = True


def height_surface(
    depth: ArrayLike,
    pixel_size_um: PixelSize,
    *,
    depth_unit: str = "µm",
    stride_px: int | None = None,
    exaggeration: float = 1.0,
    texture: NDArray[np.uint8] | None = None,
) -> Surface:
    """Make a surface of a depth map; each vertex is the depth of one pixel, none is averaged.

    Parameters
    ----------
    depth : array, (Y, X), float
        Height of each pixel, such as ``result.depth``; NaN where there is none, which leaves a
        hole. Larger values are higher.
    pixel_size_um : tuple of (float or None)
        Size (y, x) of a pixel in µm. Where it is None, y and x count pixels.
    depth_unit : {"µm", "slice"}
        Unit of `depth`; see `FusionResult.depth_unit`.
    stride_px : int, optional
        Take every so manieth row and column, and always the last. Where left out, so many that
        about `MAX_VERTICES` vertices result at most.
    exaggeration : float
        Factor on the heights.
    texture : ndarray of uint8, (Y, X) or (Y, X, 3), optional
        Colours for the vertices, such as the fused image.

    Returns
    -------
    Surface
        In µm where pixel size and unit of depth are known.

    Raises
    ------
    ParameterError
        If an argument is outside its limits, or no triangle has three heights.
    """
    heights = np.asarray(depth, dtype=np.float32)
    stride = _checked_stride(heights, stride_px)
    _check_scale(pixel_size_um, exaggeration)
    rows, columns = (_taken(length, stride) for length in heights.shape)
    grid = np.ix_(rows, columns)
    faces, used = _triangles(np.isfinite(heights[grid]))
    row, column = (places[used] for places in np.broadcast_arrays(*grid))
    size_y, size_x = (1.0 if size is None else size for size in pixel_size_um)
    height, width = heights.shape
    vertices = np.column_stack(
        [heights[grid][used] * exaggeration, row * size_y, column * size_x]
    ).astype(np.float32)
    texcoords = np.column_stack([(column + 0.5) / width, 1 - (row + 0.5) / height])
    return Surface(
        vertices,
        faces,
        texcoords.astype(np.float32),
        None if texture is None else _colors(texture, heights.shape, row, column),
        is_in_um=depth_unit == "µm" and None not in pixel_size_um,
    )


def save_mesh(surface: Surface, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a surface as a mesh file in µm, whole or not at all.

    The axes of the file are right-handed: x to the right, y up the image and z the height, so
    that the mesh seen from above looks like the image and not like its mirror image. The centre
    of the image's first pixel is x = y = 0, and the other rows have negative y.

    Parameters
    ----------
    surface : Surface
        In µm.
    path : str or Path
        File to write; its name ends in ``.stl``, or in ``.ply``, which keeps the colours too.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ParameterError
        If the surface is not in µm, or the file's name ends otherwise.
    OutputError
        If `path` exists (without `overwrite`) or cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in MESH_SUFFIXES:
        raise ParameterError(
            f"{path}: the name of a mesh must end in {' or '.join(MESH_SUFFIXES)}, "
            f"got {suffix or 'no ending'}"
        )
    if not surface.is_in_um:
        raise ParameterError(
            f"{path}: a mesh is written in µm, but the voxel size of its stack is unknown; "
            "read the stack with voxel_size_um= (--voxel-size-um) and fuse it again"
        )
    content = _mesh_bytes(surface, suffix.removeprefix("."))
    with staging(path, overwrite, is_file=True) as partial:
        partial.write_bytes(content)
    return path


def _mesh_bytes(surface: Surface, file_type: str) -> bytes:
    import trimesh

    z, y, x = surface.vertices.T
    mesh = trimesh.Trimesh(
        vertices=np.column_stack([x, -y, z]),
        faces=surface.faces,
        vertex_colors=surface.colors,
        process=False,
    )
    content = mesh.export(file_type=file_type)
    assert isinstance(content, bytes)
    return content


def _checked_stride(heights: NDArray[np.float32], stride_px: int | None) -> int:
    if heights.ndim != 2 or min(heights.shape) < 2:
        raise ParameterError(
            f"depth: a surface needs a map of 2 × 2 pixels or more, got shape {heights.shape}"
        )
    if stride_px is None:
        return max(1, math.ceil(math.sqrt(heights.size / MAX_VERTICES)))
    if stride_px < 1:
        raise ParameterError(f"stride_px: must be 1 or more, got {stride_px}")
    return stride_px


def _check_scale(pixel_size_um: PixelSize, exaggeration: float) -> None:
    for size in pixel_size_um:
        if size is not None and not (math.isfinite(size) and size > 0):
            raise ParameterError(f"pixel_size_um: must be above 0, got {size}")
    if not (math.isfinite(exaggeration) and exaggeration > 0):
        raise ParameterError(f"exaggeration: must be above 0, got {exaggeration}")


def _taken(length: int, stride: int) -> NDArray[np.intp]:
    """Return the rows (or columns) to take: with the last, so that nothing of the edge is cut."""
    return np.unique(np.append(np.arange(0, length, stride), length - 1))


def _triangles(has_height: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return two triangles for each square of a grid, where all corners have a height.

    Returns
    -------
    faces : ndarray of int32, (F, 3)
        Numbers of the used points, in reading order.
    used : ndarray of bool, shape of the grid
        Points that are a corner of a triangle.
    """
    number = np.arange(has_height.size, dtype=np.int32).reshape(has_height.shape)
    upper_left, upper_right = number[:-1, :-1].ravel(), number[:-1, 1:].ravel()
    lower_left, lower_right = number[1:, :-1].ravel(), number[1:, 1:].ravel()
    faces = np.concatenate(
        [
            np.column_stack([upper_left, lower_left, upper_right]),
            np.column_stack([upper_right, lower_left, lower_right]),
        ]
    )
    faces = faces[has_height.ravel()[faces].all(axis=1)]
    if not len(faces):
        raise ParameterError("depth: a surface needs three neighbouring pixels with a depth")
    used = np.zeros(has_height.size, bool)
    used[faces] = True
    renumbered = np.cumsum(used, dtype=np.int32) - 1
    return renumbered[faces], used.reshape(has_height.shape)


def _colors(
    texture: NDArray[np.uint8], shape_yx: tuple[int, ...], row: Any, column: Any
) -> NDArray[np.uint8]:
    image = np.asarray(texture)
    fits = image.shape[:2] == shape_yx and image.shape[2:] in ((), (3,))
    if image.dtype != np.uint8 or not fits:
        height, width = shape_yx
        raise ParameterError(
            f"texture: must be uint8 of shape ({height}, {width}) or ({height}, {width}, 3), "
            f"got {image.dtype} of shape {image.shape}"
        )
    colors: NDArray[np.uint8] = image[row, column]
    return colors if colors.ndim == 2 else np.repeat(colors[:, None], 3, axis=1)
