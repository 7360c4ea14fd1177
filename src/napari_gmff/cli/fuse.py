"""`napari-gmff fuse`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.cli.parameter_flags import add_parameter_flags, run_params
from napari_gmff.cli.positions import fuse_positions, positions_to_fuse
from napari_gmff.cli.printing import print_json
from napari_gmff.cli.progress import progress_bar
from napari_gmff.params import ReadParams

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_gmff.corrections import Corrections
    from napari_gmff.params import RunParams
    from napari_gmff.pipeline import Progress
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.results import FusionResult

    OnProgress = Callable[[Progress], None]


def add_fuse_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "fuse",
        help="fuse a focus stack",
        description="Fuse a focus stack into a sharp image, a focus map, depth and confidence.",
    )
    parser.add_argument(
        "source",
        nargs="+",
        metavar="SOURCE",
        help="TIFF, OME-Zarr, folder of images, pattern, or several image files in slice order",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="folder to write"
    )
    parser.add_argument(
        "--format",
        choices=("ome-zarr", "ome-tiff"),
        default="ome-zarr",
        help="OME-Zarr 0.5, or a folder of pyramidal OME-TIFF files [ome-zarr]",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier result of this program"
    )
    parser.add_argument(
        "--corrections",
        type=Path,
        metavar="FILE.npz",
        help="correct the focus index with a file saved in napari's correction widget",
    )
    quiet = parser.add_mutually_exclusive_group()
    quiet.add_argument("--quiet", action="store_true", help="print errors and warnings only")
    quiet.add_argument("--json", action="store_true", help="print a summary as JSON")
    add_parameter_flags(parser)
    parser.set_defaults(handler=_fuse)


def _fuse(args: argparse.Namespace) -> int:
    params = run_params(args)
    sources = args.source[0] if len(args.source) == 1 else args.source
    positions = positions_to_fuse(sources, params)
    if positions:
        return fuse_positions(args, params, positions, _fuse_one)
    summary = _fuse_one(args, params, sources)
    if args.json:
        print_json(summary)
    return 0


def _fuse_one(args: argparse.Namespace, params: RunParams, sources: Any) -> dict[str, Any]:
    """Fuse a stack into ``args.output``; return the summary of the run."""
    from napari_gmff.corrections import load_corrections
    from napari_gmff.export.atomic import check_not_source, check_output
    from napari_gmff.reading.open import read_stack
    from napari_gmff.reading.positions import Position

    # Before anything is read: a long run must not end at a name that was taken all along.
    check_output(args.output, args.overwrite)
    check_not_source(args.output, [source for source in args.source if "://" not in source])
    _warn_of_leftovers(args.output)
    corrections = None if args.corrections is None else load_corrections(args.corrections)
    fields = set(ReadParams.model_fields)
    if isinstance(sources, Position):
        fields.remove("position")  # it was found already
    read_options = params.model_dump(include=fields, exclude_unset=True)
    started = time.perf_counter()
    with read_stack(sources, **read_options) as stack:
        with progress_bar(hidden=args.quiet or args.json) as show:
            if corrections is None:
                result = _fused(args, stack, params, show)
            else:
                result = _fused_and_corrected(args, stack, params, show, corrections)
        with result:
            seconds = time.perf_counter() - started
            return _report(args, stack, result, seconds)


def _fused(
    args: argparse.Namespace, stack: FocusStack, params: RunParams, show: OnProgress
) -> FusionResult:
    from napari_gmff.pipeline import fuse

    return fuse(
        stack,
        params=params,
        output=args.output,
        format=args.format,
        overwrite=args.overwrite,
        on_progress=show,
    )


def _fused_and_corrected(
    args: argparse.Namespace,
    stack: FocusStack,
    params: RunParams,
    show: OnProgress,
    corrections: Corrections,
) -> FusionResult:
    """Fuse, correct, and only then write: no uncorrected result ever has the output's name."""
    from napari_gmff.corrected_result import apply_corrections
    from napari_gmff.pipeline import fuse

    corrections.check_stack(stack)
    with fuse(stack, params=params, on_progress=show) as result:
        corrected = apply_corrections(result, stack, corrections)
        try:
            corrected.save(args.output, format=args.format, overwrite=args.overwrite)
        except BaseException:
            corrected.close()
            raise
    return corrected


def _warn_of_leftovers(out: Path) -> None:
    """Name what killed runs left; it may be a colleague's, so nothing is deleted."""
    from napari_gmff.export.atomic import stale_partials

    for partial in stale_partials(out.parent):
        print(
            f"napari-gmff: warning: {partial}: left by a run that was killed, delete it if it is "
            "yours",
            file=sys.stderr,
        )


def _report(
    args: argparse.Namespace, stack: FocusStack, result: FusionResult, seconds: float
) -> dict[str, Any]:
    """Print what happened, unless it is wanted as JSON; return it."""
    provenance = result.provenance
    for warning in provenance["warnings"]:
        print(f"napari-gmff: warning: {warning}", file=sys.stderr)
    if not (args.json or args.quiet):
        height, width = result.images["fused"].shape_yx
        weights = f" ({provenance['weights']['name']})" if provenance["weights"] else ""
        print(
            f"{stack.name}: {len(provenance['slices']['numbers'])} slices of {width}×{height} "
            f"fused with {provenance['engine']}{weights} on {provenance['device']} "
            f"in {seconds:.1f} s"
        )
        unit = result.depth_unit
        if "corrections" in provenance:
            n_pixels = provenance["corrections"]["n_pixels"]
            print(f"{args.corrections}: {n_pixels} pixels corrected")
        in_unit = "slices, their step is unknown" if unit == "slice" else unit
        print(f"{args.output}: {', '.join(result.images)}; depth in {in_unit}")
    return {
        "output": str(args.output),
        "format": args.format,
        "images": {name: list(spec.shape) for name, spec in result.images.items()},
        "depth_unit": result.depth_unit,
        "seconds": round(seconds, 3),
        "provenance": provenance,
    }
