from __future__ import annotations

import sys

import pytest

from napari_gmff.errors import GmffError
from napari_gmff.restoration.diffusion import extra


def test_without_diffusers_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(extra, "find_spec", lambda name: None)
    with pytest.raises(GmffError, match=r"pip install 'napari-gmff\[restoration\]'") as error:
        extra.diffusers_module()
    assert "\n" not in str(error.value)


def test_a_diffusers_that_cannot_be_imported_is_told(monkeypatch):
    monkeypatch.setattr(extra, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(GmffError, match="cannot be imported"):
        extra.diffusers_module()


def test_importing_the_method_loads_no_diffusers():
    import subprocess

    code = (
        "import sys, napari_gmff.restoration.diffusion.restorer as r;"
        "sys.exit('diffusers' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
