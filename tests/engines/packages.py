"""Packages with engines, laid out as pip leaves them."""

from __future__ import annotations

from pathlib import Path


def install(folder: Path, name: str, version: str, modules: dict[str, str], *rows: str) -> None:
    """Lay files out as pip does."""
    for module, code in modules.items():
        (folder / f"{module}.py").write_text(code)
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text("")
    lines = "\n".join(rows)
    (info / "entry_points.txt").write_text(f"[napari_gmff.engines]\n{lines}\n")
