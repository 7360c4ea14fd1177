"""``napari-gmff engines``: list what can decide on focus, and what to cite for it."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_gmff.engines.registry import EngineInfo


def add_engines_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the program's parser; its handler stands in ``handler``."""
    parser = subparsers.add_parser(
        "engines",
        help="list the engines, with a sentence each and what to cite",
        description="List the engines that --engine takes: those of this package, and those that "
        "installed packages add. One that cannot be used is named with the reason.",
    )
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(handler=run_engines)


def run_engines(arguments: argparse.Namespace) -> int:
    """Print the engines to standard output, those that cannot be used to standard error."""
    from napari_gmff.engines.registry import engine_infos

    infos = engine_infos()
    if arguments.json:
        listed = [info.to_json() for info in infos]
        print(json.dumps({"engines": listed}, indent=2, ensure_ascii=False))
        return 0
    print("\n\n".join(_words(info) for info in infos if not info.problem))
    for info in infos:
        if info.problem:
            print(f"napari-gmff: warning: left out: {info.problem}", file=sys.stderr)
    return 0


def _words(info: EngineInfo) -> str:
    from napari_gmff.engines.registry import COMPUTED, COPIED
    from napari_gmff.params import DEFAULT_ENGINE

    name = f"{info.name} (default)" if info.name == DEFAULT_ENGINE else info.name
    lines = [info.title, COPIED if info.preserves_pixels else COMPUTED]
    if info.package:
        lines.append(f"from the package {info.package}")
    lines += [f"cite: {paper}" for paper in info.references]
    return "\n".join([name, *(f"  {line}" for line in lines)])
