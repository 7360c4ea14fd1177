"""`napari-gmff fuse`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.cli.parameter_flags import add_parameter_flags, run_params
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
    from napari_gmff.corrections import load_corrections
    from napari_gmff.export.atomic import check_not_source, check_output
    from napari_gmff.reading.open import read_stack

    params = run_params(args)
    sources = args.source[0] if len(args.source) == 1 else args.source
    # Before anything is read: a long run must not end at a name that was taken all along.
    check_output(args.output, args.overwrite)
    check_not_source(args.output, [source for source in args.source if "://" not in source])
    _warn_of_leftovers(args.output)
    corrections = None if args.corrections is None else load_corrections(args.corrections)
    read_options = params.model_dump(include=set(ReadParams.model_fields))
    started = time.perf_counter()
    with read_stack(sources, **read_options) as stack:
        with progress_bar(hidden=args.quiet or args.json) as show:
            if corrections is None:
                result = _fused(args, stack, params, show)
            else:
                result = _fused_and_corrected(args, stack, params, show, corrections)
        with result:
            seconds = time.perf_counter() - started
            _report(args, stack, result, seconds)
    return 0


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
    _check_one_choice(stack, params)
    with fuse(stack, params=params, on_progress=show) as result:
        corrected = apply_corrections(result, stack, corrections)
        try:
            corrected.save(args.output, format=args.format, overwrite=args.overwrite)
        except BaseException:
            corrected.close()
            raise
    return corrected


def _check_one_choice(stack: FocusStack, params: RunParams) -> None:
    """Refuse corrections of what will have no one focus index, before it is fused."""
    from napari_gmff.engines.registry import is_blend
    from napari_gmff.errors import ParameterError
    from napari_gmff.plan import make_plan

    if is_blend(params.engine):
        raise ParameterError(
            f"corrections: engine {params.engine} computes pixels and chooses no slices, so there "
            "is nothing to correct"
        )
    if make_plan(stack, params).per_channel:
        raise ParameterError(
            "corrections: with channel per-channel each channel is focused by itself, and only "
            "one choice for all channels can be corrected"
        )


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
) -> None:
    provenance = result.provenance
    for warning in provenance["warnings"]:
        print(f"napari-gmff: warning: {warning}", file=sys.stderr)
    if args.json:
        summary = {
            "output": str(args.output),
            "format": args.format,
            "images": {name: list(spec.shape) for name, spec in result.images.items()},
            "pixels_copied": result.pixels_copied,
            "depth_unit": result.depth_unit if "depth" in result.images else None,
            "seconds": round(seconds, 3),
            "provenance": provenance,
        }
        print(json.dumps(summary, indent=2, ensure_ascii=False))
    elif not args.quiet:
        height, width = result.images["fused"].shape_yx
        weights = f" ({provenance['weights']['name']})" if provenance["weights"] else ""
        print(
            f"{stack.name}: {len(provenance['slices']['numbers'])} slices of {width}×{height} "
            f"fused with {provenance['engine']}{weights} on {provenance['device']} "
            f"in {seconds:.1f} s"
        )
        if "corrections" in provenance:
            n_pixels = provenance["corrections"]["n_pixels"]
            print(f"{args.corrections}: {n_pixels} pixels corrected")
        print(f"{args.output}: {', '.join(result.images)}; {_of_pixels_or_depth(result)}")


def _of_pixels_or_depth(result: FusionResult) -> str:
    if not result.pixels_copied:
        return "pixels are computed, not copied"
    unit = result.depth_unit
    return f"depth in {'slices, their step is unknown' if unit == 'slice' else unit}"
