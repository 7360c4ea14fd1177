"""``napari-gmff methods``: print how a result was made, in words for a paper."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_methods_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the program's parser; its handler stands in ``handler``."""
    parser = subparsers.add_parser(
        "methods",
        help="print a methods paragraph with citations for a result",
        description="Print how a result was made, for the methods section of a paper, and what "
        "its intensities must not be used for.",
    )
    parser.add_argument(
        "result",
        metavar="RESULT",
        type=Path,
        help="OME-Zarr result, folder of OME-TIFF files, or provenance.json",
    )
    parser.set_defaults(handler=run_methods)


def run_methods(arguments: argparse.Namespace) -> int:
    """Print the paragraphs to standard output.

    Raises
    ------
    SourceError
        If the path is not a result of this program.
    """
    from napari_gmff.errors import SourceError
    from napari_gmff.methods import methods_text
    from napari_gmff.provenance import read_provenance

    record = read_provenance(arguments.result)
    try:
        text = methods_text(record)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"{arguments.result}: its record of the run is damaged ({error!r})"
        ) from None
    print(text)
    return 0
