"""`napari-gmff fuse`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.cli.parameter_flags import add_parameter_flags, run_params
from napari_gmff.cli.progress import progress_bar
from napari_gmff.cli.unfinished import naming_unfinished, tell_of_earlier, warn_of_leftovers
from napari_gmff.params import ReadParams

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_gmff.corrections import Corrections
    from napari_gmff.params import RunParams
    from napari_gmff.pipeline import Progress
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.results import FusionResult
    from napari_gmff.unfinished.work import EarlierWork

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
        "--resume",
        action="store_true",
        help="go on with the same run after it was stopped; finished windows are not done again",
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
    warn_of_leftovers(args.output)
    corrections = None if args.corrections is None else load_corrections(args.corrections)
    read_options = params.model_dump(include=set(ReadParams.model_fields))
    started = time.perf_counter()
    with read_stack(sources, **read_options) as stack:
        with (
            naming_unfinished(args.output),
            progress_bar(hidden=args.quiet or args.json) as show,
        ):
            watch = _Watch(args, show)
            if corrections is None:
                result = _fused(args, stack, params, watch)
            else:
                result = _fused_and_corrected(args, stack, params, watch, corrections)
        with result:
            seconds = time.perf_counter() - started
            _report(args, stack, result, seconds, watch.earlier)
    return 0


class _Watch:
    """Passes progress on, and says what was found of an earlier run."""

    def __init__(self, args: argparse.Namespace, show: OnProgress) -> None:
        self.earlier: EarlierWork | None = None
        self._args, self._show = args, show

    def __call__(self, progress: Progress) -> None:
        self._show(progress)
        if progress.images is not None:  # the first step of fusing
            self.earlier = progress.earlier
            is_quiet = self._args.quiet or self._args.json
            tell_of_earlier(self.earlier, is_resumed=self._args.resume, is_quiet=is_quiet)


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
        resume=args.resume,
        keep_unfinished=True,
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
    with fuse(
        stack,
        params=params,
        resume=args.resume,
        keep_unfinished=args.output,
        on_progress=show,
    ) as result:
        corrected = apply_corrections(result, stack, corrections)
        try:
            corrected.save(args.output, format=args.format, overwrite=args.overwrite)
        except BaseException:
            corrected.close()
            raise
    return corrected


def _report(
    args: argparse.Namespace,
    stack: FocusStack,
    result: FusionResult,
    seconds: float,
    earlier: EarlierWork | None,
) -> None:
    provenance = result.provenance
    for warning in provenance["warnings"]:
        print(f"napari-gmff: warning: {warning}", file=sys.stderr)
    if args.json:
        summary = {
            "output": str(args.output),
            "format": args.format,
            "images": {name: list(spec.shape) for name, spec in result.images.items()},
            "depth_unit": result.depth_unit,
            "seconds": round(seconds, 3),
            "resumed": asdict(earlier) if earlier and earlier.is_continued else None,
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
        unit = result.depth_unit
        if "corrections" in provenance:
            n_pixels = provenance["corrections"]["n_pixels"]
            print(f"{args.corrections}: {n_pixels} pixels corrected")
        in_unit = "slices, their step is unknown" if unit == "slice" else unit
        print(f"{args.output}: {', '.join(result.images)}; depth in {in_unit}")
