from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from napari_gmff.errors import OutputError, ParameterError
from napari_gmff.surface import MAX_VERTICES, Surface, height_surface, save_mesh

SIZE_UM = (0.5, 0.25)


def pyramid(half: int = 20, top_um: float = 6.0) -> np.ndarray:
    """Return a square pyramid whose base is the edge of the map, at height 0."""
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    return (top_um * (1 - np.maximum(abs(y), abs(x)) / half)).astype(np.float32)


def plane(shape: tuple[int, int] = (30, 40)) -> np.ndarray:
    """Return heights that rise by 2 µm per row and fall by 1 µm per column."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (100 + 2.0 * y - x).astype(np.float32)


def volume_below(mesh: trimesh.Trimesh) -> float:
    """Return the volume between a surface and the plane of height 0."""
    corners = mesh.triangles
    flat = corners[:, 1:, :2] - corners[:, :1, :2]
    area = 0.5 * (flat[:, 0, 0] * flat[:, 1, 1] - flat[:, 0, 1] * flat[:, 1, 0])
    return float((area * corners[:, :, 2].mean(axis=1)).sum())


@pytest.mark.parametrize("suffix", [".stl", ".ply"])
def test_a_pyramid_keeps_its_volume_height_and_place_in_a_file(suffix: str, tmp_path: Path) -> None:
    path = save_mesh(height_surface(pyramid(), SIZE_UM), tmp_path / f"pyramid{suffix}")
    mesh = trimesh.load_mesh(path)
    base_um2 = (40 * 0.5) * (40 * 0.25)
    assert volume_below(mesh) == pytest.approx(base_um2 * 6.0 / 3, rel=0.01)
    np.testing.assert_allclose(mesh.bounds, [[0, -20, 0], [10, 0, 6]], atol=1e-5)
    top = mesh.vertices[mesh.vertices[:, 2].argmax()]
    np.testing.assert_allclose(top, [5, -10, 6], atol=1e-5)


def test_a_file_is_right_handed_and_its_triangles_look_up(tmp_path: Path) -> None:
    path = save_mesh(height_surface(plane(), SIZE_UM), tmp_path / "plane.stl")
    mesh = trimesh.load_mesh(path)
    # Heights rise by 4 µm per µm down the image, so fall along the file's y, which runs up it;
    # along x they fall by 4 µm per µm.
    expected = np.array([4.0, 4.0, 1.0]) / np.sqrt(33)
    np.testing.assert_allclose(
        mesh.face_normals, np.tile(expected, (len(mesh.faces), 1)), atol=1e-4
    )
    assert len(mesh.faces) == 2 * 29 * 39


def test_every_vertex_is_the_depth_of_one_pixel_and_the_edges_are_kept() -> None:
    depth = plane((31, 50))
    surface = height_surface(depth, SIZE_UM, stride_px=7)
    row = np.rint(surface.vertices[:, 1] / 0.5).astype(int)
    column = np.rint(surface.vertices[:, 2] / 0.25).astype(int)
    np.testing.assert_array_equal(surface.vertices[:, 0], depth[row, column])
    assert set(row) == {0, 7, 14, 21, 28, 30}
    assert set(column) == {0, 7, 14, 21, 28, 35, 42, 49}


def test_a_large_map_is_thinned_to_about_a_million_vertices() -> None:
    surface = height_surface(np.zeros((2100, 1500), np.float32), SIZE_UM)
    assert 0.3 * MAX_VERTICES < len(surface.vertices) <= 1.01 * MAX_VERTICES
    small = height_surface(np.zeros((90, 70), np.float32), SIZE_UM)
    assert len(small.vertices) == 90 * 70


def test_pixels_without_depth_are_holes() -> None:
    depth = plane()
    depth[10:13, 20] = np.nan
    surface = height_surface(depth, SIZE_UM)
    assert np.isfinite(surface.vertices).all()
    assert len(surface.vertices) == depth.size - 3
    assert surface.faces.max() == len(surface.vertices) - 1
    whole = height_surface(plane(), SIZE_UM)
    # Each lost pixel is a corner of 6 triangles, of which neighbours share 2.
    assert len(surface.faces) == len(whole.faces) - (3 * 6 - 2 * 2)


def test_a_lonely_pixel_is_no_vertex_and_nothing_at_all_is_an_error() -> None:
    depth = np.full((9, 9), np.nan, np.float32)
    depth[1:3, 1:3] = 5
    depth[7, 7] = 8
    surface = height_surface(depth, SIZE_UM)
    assert len(surface.vertices) == 4
    depth[1, 1:3] = np.nan
    with pytest.raises(ParameterError, match="three neighbouring pixels"):
        height_surface(depth, SIZE_UM)


def test_exaggeration_raises_heights_and_nothing_else() -> None:
    true = height_surface(plane(), SIZE_UM).vertices
    steep = height_surface(plane(), SIZE_UM, exaggeration=5).vertices
    np.testing.assert_allclose(steep, true * [5, 1, 1], rtol=1e-6)


def test_texture_coordinates_point_at_the_pixels_of_the_vertices() -> None:
    surface = height_surface(plane((4, 8)), SIZE_UM)
    np.testing.assert_allclose(surface.texcoords[0], [0.5 / 8, 1 - 0.5 / 4])
    np.testing.assert_allclose(surface.texcoords[-1], [7.5 / 8, 0.5 / 4])


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_ply_file_keeps_the_colours_of_the_image(
    channels: tuple[int, ...], tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (30, 40, *channels), dtype=np.uint8)
    surface = height_surface(plane(), SIZE_UM, stride_px=3, texture=image)
    mesh = trimesh.load_mesh(save_mesh(surface, tmp_path / "x.ply"), process=False)
    row = np.rint(-mesh.vertices[:, 1] / 0.5).astype(int)
    column = np.rint(mesh.vertices[:, 0] / 0.25).astype(int)
    expected = image[row, column] if channels else image[row, column][:, None]
    colors = mesh.visual.vertex_colors[:, :3]
    np.testing.assert_array_equal(colors, np.broadcast_to(expected, colors.shape))


@pytest.mark.parametrize(
    ("size_um", "unit"), [((None, None), "µm"), ((0.5, None), "µm"), ((0.5, 0.5), "slice")]
)
def test_a_surface_of_unknown_size_is_shown_but_not_written(
    size_um: tuple[float | None, float | None], unit: str, tmp_path: Path
) -> None:
    surface = height_surface(plane(), size_um, depth_unit=unit)
    assert not surface.is_in_um
    with pytest.raises(ParameterError, match="voxel size of its stack is unknown"):
        save_mesh(surface, tmp_path / "x.stl")
    assert not list(tmp_path.iterdir())


def test_pixels_of_unknown_size_count_as_one() -> None:
    surface = height_surface(plane((4, 8)), (None, None))
    assert tuple(surface.vertices.max(axis=0)[1:]) == (3, 7)


def test_another_kind_of_file_is_refused_by_name(tmp_path: Path) -> None:
    surface = height_surface(plane(), SIZE_UM)
    for name in ("x.obj", "x"):
        with pytest.raises(ParameterError, match=r"must end in \.stl or \.ply"):
            save_mesh(surface, tmp_path / name)


def test_a_file_is_replaced_only_when_asked_and_never_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.stl"
    path.write_bytes(b"precious")
    surface = height_surface(plane(), SIZE_UM)
    with pytest.raises(OutputError, match="already exists"):
        save_mesh(surface, path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match="No space left"):
            save_mesh(surface, path, overwrite=True)
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]
    save_mesh(surface, path, overwrite=True)
    assert len(trimesh.load_mesh(path).faces) == len(surface.faces)
    with pytest.raises(OutputError, match="folder"):
        save_mesh(surface, tmp_path / "no such folder" / "x.stl")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": np.zeros((3, 4, 5))}, "map of 2 × 2 pixels"),
        ({"depth": np.zeros((1, 9))}, "map of 2 × 2 pixels"),
        ({"stride_px": 0}, "stride_px: must be 1 or more, got 0"),
        ({"exaggeration": 0}, "exaggeration: must be above 0"),
        ({"exaggeration": float("nan")}, "exaggeration: must be above 0"),
        ({"pixel_size_um": (0.5, 0)}, "pixel_size_um: must be above 0, got 0"),
        ({"texture": np.zeros((30, 40), np.uint16)}, "texture: must be uint8"),
        ({"texture": np.zeros((30, 41), np.uint8)}, "texture: must be uint8 of shape"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        height_surface(**{"depth": plane(), "pixel_size_um": SIZE_UM, **arguments})


def test_a_surface_is_made_from_a_result() -> None:
    from napari_gmff import fuse
    from tests.stacks import stack_of, textured

    stack = stack_of(textured(), voxel_size_um=(2.0, *SIZE_UM))
    with fuse(stack, engine="laplacian-energy") as result:
        surface = height_surface(
            result.depth, result.geometry.pixel_size_um, depth_unit=result.depth_unit
        )
        assert isinstance(surface, Surface)
        assert surface.is_in_um
        assert surface.vertices[:, 0].max() == result.depth.max().compute()
