"""The napari manifest: valid, and found in a wheel as well as in an editable install."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from zipfile import ZipFile

import pytest

from napari_gmff.engines.registry import built_in_names
from napari_gmff.params import FuseParams, validated

npe2 = pytest.importorskip("npe2")

FIND_AND_VALIDATE = (
    "from npe2 import PluginManifest;"
    "manifest = PluginManifest.from_distribution('napari-gmff');"
    "print(manifest.name, manifest.package_metadata.version)"
)


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of the source tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", folder, repository]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


def run_isolated(folder: Path, code: str) -> str:
    """Run code where `folder` is searched before everything else that is installed."""
    program = f"import sys; sys.path.insert(0, {str(folder)!r}); {code}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_installed_plugin_has_a_valid_manifest():
    manifest = npe2.PluginManifest.from_distribution("napari-gmff")
    assert manifest.name == "napari-gmff"
    assert manifest.package_metadata is not None
    assert "Framework :: napari" in manifest.package_metadata.classifier


def test_the_manifest_is_read_without_a_warning(repository: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        manifest = npe2.PluginManifest.from_file(repository / "napari.yaml")
    assert manifest.contributions.commands


def test_every_contribution_names_a_command_that_is_declared(repository: Path):
    contributions = npe2.PluginManifest.from_file(repository / "napari.yaml").contributions
    declared = {command.id for command in contributions.commands}
    used = [*contributions.readers, *contributions.writers, *contributions.widgets]
    used += [*contributions.sample_data]
    used += [item for items in contributions.menus.values() for item in items]
    assert {item.command for item in used} == declared


def test_the_code_behind_every_command_is_in_the_package(repository: Path):
    contributions = npe2.PluginManifest.from_file(repository / "napari.yaml").contributions
    for command in contributions.commands:
        module, _, name = command.python_name.partition(":")
        file = repository / "src" / Path(*module.split(".")).with_suffix(".py")
        source = file.read_text(encoding="utf-8")
        assert f"def {name}(" in source or f"class {name}(" in source


def test_the_preferences_page_says_what_the_parameter_model_says(repository: Path):
    contributions = npe2.PluginManifest.from_file(repository / "napari.yaml").contributions
    properties = dict(contributions.configurations["fusion"].properties)
    del properties["keep_one_core_free"]
    for name, found in properties.items():
        field = FuseParams.model_fields[name]
        assert (found.title, found.default) == (field.title, field.default)
        assert found.description == field.description
        limits = {}
        for limit in field.metadata:
            limits |= {key: getattr(limit, key) for key in vars_of(limit)}
        assert found.maximum == limits.get("le")
        assert found.multiple_of == limits.get("multiple_of")
        assert found.minimum is None or found.minimum >= limits["ge"]
        for value in found.enum or [found.minimum]:
            assert getattr(validated(FuseParams, {name: value}), name) == value
    assert sorted(properties["engine"].enum) == built_in_names()


def vars_of(limit: object) -> list[str]:
    """Return the names under which a constraint keeps its values."""
    return [name for name in ("le", "ge", "multiple_of") if hasattr(limit, name)]


def test_the_manifest_at_the_root_is_a_link_to_the_packaged_one(repository: Path):
    link = repository / "napari.yaml"
    packaged = repository / "src" / "napari_gmff" / "napari.yaml"
    assert link.read_bytes() == packaged.read_bytes()
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    npe2.PluginManifest.from_file(link)


def test_the_wheel_holds_the_manifest_as_a_file_and_no_foreign_files(wheel: Path):
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        assert archive.read("napari_gmff/napari.yaml").startswith(b"name: napari-gmff")
    assert "napari_gmff/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"napari_gmff"}


def test_the_wheel_holds_the_weights_and_stays_small(wheel: Path, shipped_folder: Path):
    with ZipFile(wheel) as archive:
        for path in shipped_folder.iterdir():
            place = path.relative_to(shipped_folder.parents[3]).as_posix()
            assert archive.read(place) == path.read_bytes()
    assert wheel.stat().st_size < 6_000_000


def test_npe2_finds_the_plugin_in_an_unpacked_wheel(wheel: Path, tmp_path: Path):
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    where = "import napari_gmff; print(napari_gmff.__file__);"
    printed = run_isolated(tmp_path, where + FIND_AND_VALIDATE)
    assert printed.startswith(str(tmp_path)), "another installed copy was found"
    assert printed.split()[1] == "napari-gmff"


def test_npe2_finds_the_plugin_in_an_editable_install(repository: Path, tmp_path: Path):
    build_editable = (
        f"import os, hatchling.build; os.chdir({str(repository)!r});"
        f"print(hatchling.build.build_editable({str(tmp_path)!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", build_editable], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    site = tmp_path / "site"
    with ZipFile(tmp_path / done.stdout.split()[-1]) as archive:
        archive.extractall(site)
    # A site folder's links come last in the search path, where an installed wheel would hide them.
    activate = (
        f"import site; site.addsitedir({str(site)!r}); sys.path.insert(0, sys.path.pop());"
        "import napari_gmff; print(napari_gmff.__file__);"
    )
    printed = run_isolated(site, activate + FIND_AND_VALIDATE)
    assert printed.startswith(str(repository / "src")), "another installed copy was found"
    assert printed.split()[1] == "napari-gmff"
