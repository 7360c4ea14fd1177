"""The package root: quick to import, and every public name resolves."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import napari_gmff

HEAVY = (
    "dask",
    "magicgui",
    "napari",
    "numpy",
    "pydantic",
    "PyQt5",
    "PyQt6",
    "PySide6",
    "qtpy",
    "scipy",
    "skimage",
    "tifffile",
    "torch",
    "zarr",
)


def run_python(code: str) -> str:
    """Run code in a fresh interpreter, with warnings as errors, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_loads_nothing_heavy():
    loaded = run_python(
        f"import sys, napari_gmff; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert loaded.split() == []


def test_asking_for_the_version_loads_nothing_heavy():
    loaded = run_python(
        "import sys, napari_gmff; napari_gmff.__version__;"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert loaded.split() == []


def test_no_module_of_the_core_loads_qt_or_napari():
    loaded = run_python(
        "import importlib, pkgutil, sys, napari_gmff\n"
        "def walk(package):\n"
        "    for found in pkgutil.iter_modules(package.__path__, package.__name__ + '.'):\n"
        "        if found.name.rpartition('.')[2] in ('_napari', '__main__'):\n"
        "            continue\n"
        "        module = importlib.import_module(found.name)\n"
        "        if found.ispkg:\n"
        "            walk(module)\n"
        "walk(napari_gmff)\n"
        "gui = ('magicgui', 'napari', 'PyQt5', 'PyQt6', 'PySide2', 'PySide6', 'qtpy', 'superqt')\n"
        "print(*[name for name in gui if name in sys.modules])\n"
    )
    assert loaded.split() == []


@pytest.mark.parametrize("name", napari_gmff.__all__)
def test_every_public_name_resolves(name: str):
    assert getattr(napari_gmff, name) is not None


def test_public_names_are_sorted_and_listed_by_dir():
    names = [name for name in napari_gmff.__all__ if name != "__version__"]
    assert names == sorted(names)
    assert set(napari_gmff.__all__) <= set(dir(napari_gmff))


def test_star_import_gives_the_public_names():
    printed = run_python("from napari_gmff import *; print(fuse.__module__, read_stack.__name__)")
    assert printed.split() == ["napari_gmff.pipeline", "read_stack"]


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'fuze'"):
        _ = napari_gmff.fuze


def test_version_is_the_installed_one():
    assert napari_gmff.__version__ == version("napari-gmff")


def test_package_says_that_it_is_typed():
    from importlib.resources import files

    assert files("napari_gmff").joinpath("py.typed").is_file()


def test_module_run_as_a_program_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "napari_gmff", "--help"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: napari-gmff ")
