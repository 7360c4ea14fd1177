"""`napari-gmff fuse`."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.cli.parameter_flags import add_parameter_flags, run_params
from napari_gmff.cli.positions import fuse_positions, positions_to_fuse
from napari_gmff.cli.printing import print_json
from napari_gmff.cli.progress import progress_bar
from napari_gmff.cli.unfinished import naming_unfinished, tell_of_earlier, warn_of_leftovers
from napari_gmff.errors import ParameterError
from napari_gmff.params import DEFAULT_NAME, FORMATS, ReadParams

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_gmff.corrections import Corrections
    from napari_gmff.export.appending import AppendPlace
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
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("-o", "--output", type=Path, metavar="OUT", help="folder to write")
    place.add_argument(
        "--into",
        type=Path,
        metavar="ZARR",
        help="append to this OME-Zarr, such as SOURCE itself: the images as its group gmff/NAME, "
        "the focus index also as its label image; nothing that is there changes",
    )
    parser.add_argument(
        "--name", help=f"name of the result within ZARR, with --into [{DEFAULT_NAME}]"
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="OME-Zarr 0.5, OME-Zarr 0.4, a folder of pyramidal OME-TIFF files, or a folder of "
        "TIFF files that ImageJ opens without plugins [ome-zarr]",
    )
    parser.add_argument(
        "--preview",
        choices=("png", "jpeg"),
        help="also write pictures of fused image, focus index and depth, beside the output",
    )
    parser.add_argument(
        "--preview-px",
        type=int,
        default=2048,
        metavar="PX",
        help="longest side of these pictures [2048]",
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
    from napari_gmff.export.previews import check_previews
    from napari_gmff.export.saving import check_format
    from napari_gmff.reading.open import read_stack
    from napari_gmff.reading.positions import Position

    check_format(args.format or "ome-zarr", params.shard_px)
    # Before anything is read: a long run must not end at a name that was taken all along.
    if args.name is not None and args.into is None:
        raise ParameterError("--name: names a result within an OME-Zarr, and needs --into")
    place = None if args.into is None else _place(args, params)
    if place is None:
        check_output(args.output, args.overwrite)
        check_not_source(args.output, [source for source in args.source if "://" not in source])
        args.format = args.format or "ome-zarr"
        warn_of_leftovers(args.output)
    if args.preview is not None:
        check_previews(_name_beside(args), args.preview, args.preview_px, args.overwrite)
    corrections = None if args.corrections is None else load_corrections(args.corrections)
    fields = set(ReadParams.model_fields)
    if isinstance(sources, Position):
        fields.remove("position")  # it was found already
    read_options = params.model_dump(include=fields, exclude_unset=True)
    started = time.perf_counter()
    with read_stack(sources, **read_options) as stack:
        if place is not None:
            place.check_stack(stack.axes, stack.data.shape)
        with (
            naming_unfinished(_name_beside(args)),
            progress_bar(hidden=args.quiet or args.json) as show,
        ):
            watch = _Watch(args, show)
            if corrections is None and place is None:
                result = _fused(args, stack, params, watch)
            else:
                result = _fused_then_written(args, stack, params, watch, corrections, place)
        with result:
            previews = [] if args.preview is None else _write_previews(args, result)
            seconds = time.perf_counter() - started
            return _report(args, stack, result, seconds, previews, watch.earlier)


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


def _place(args: argparse.Namespace, params: RunParams) -> AppendPlace:
    """Find where in an OME-Zarr the result goes; from here on, that is the output."""
    from napari_gmff.export.appending import consolidated_in, place_in

    if args.format is not None:
        raise ParameterError("--format: what is appended with --into has the format of its ZARR")
    args.name = DEFAULT_NAME if args.name is None else args.name
    place = place_in(args.into, name=args.name, series=params.series, overwrite=args.overwrite)
    args.output = place.result_folder
    args.format = "ome-zarr" if place.version == "0.5" else "ome-zarr-0.4"
    for path in (place.result_folder, place.label_folder):
        if path.parent.is_dir():
            warn_of_leftovers(path)
    again = consolidated_in(place)
    if again is not None:
        print(
            f"napari-gmff: warning: {again}: repeats the metadata of all groups, and is left as "
            "it is; programs that rely on it will not see the result until it is made anew",
            file=sys.stderr,
        )
    return place


def _fused_then_written(
    args: argparse.Namespace,
    stack: FocusStack,
    params: RunParams,
    show: OnProgress,
    corrections: Corrections | None,
    place: AppendPlace | None,
) -> FusionResult:
    """Fuse, correct, and only then write: no uncorrected result ever has the output's name."""
    from napari_gmff.corrected_result import apply_corrections
    from napari_gmff.pipeline import fuse
    from napari_gmff.results import open_fusion

    if corrections is not None:
        _check_corrections(corrections, stack, params)
    with fuse(
        stack,
        params=params,
        resume=args.resume,
        keep_unfinished=_name_beside(args),
        on_progress=show,
    ) as fused:
        result = fused if corrections is None else apply_corrections(fused, stack, corrections)
        try:
            if place is not None:
                place.append(result)
                result.close()
                return open_fusion(place.result_folder)
            result.save(args.output, format=args.format, overwrite=args.overwrite)
        except BaseException:
            result.close()
            raise
    return result


def _check_corrections(corrections: Corrections, stack: FocusStack, params: RunParams) -> None:
    """Refuse corrections of what will have no one focus index, before it is fused."""
    from napari_gmff.engines.registry import is_blend
    from napari_gmff.plan import make_plan

    corrections.check_stack(stack)
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


def _name_beside(args: argparse.Namespace) -> Path:
    """Name what lies beside a result (previews, unfinished work) after it, or after its place.

    Nothing but the result itself goes into an OME-Zarr that is appended to.
    """
    if args.into is None:
        return Path(args.output)
    stem = args.into.name.removesuffix(".zarr").removesuffix(".ome")
    return Path(args.into).with_name(f"{stem}.{args.name}")


def _write_previews(args: argparse.Namespace, result: FusionResult) -> list[Path]:
    return result.save_previews(
        _name_beside(args),
        format=args.preview,
        longest_px=args.preview_px,
        overwrite=args.overwrite,
    )


def _report(
    args: argparse.Namespace,
    stack: FocusStack,
    result: FusionResult,
    seconds: float,
    previews: list[Path],
    earlier: EarlierWork | None,
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
        if "corrections" in provenance:
            n_pixels = provenance["corrections"]["n_pixels"]
            print(f"{args.corrections}: {n_pixels} pixels corrected")
        print(f"{args.output}: {', '.join(result.images)}; {_of_pixels_or_depth(result)}")
        for path in previews:
            print(f"{path}: preview")
    return {
        "output": str(args.output),
        "format": args.format,
        "images": {name: list(spec.shape) for name, spec in result.images.items()},
        "pixels_copied": result.pixels_copied,
        "depth_unit": result.depth_unit if "depth" in result.images else None,
        "previews": [str(path) for path in previews],
        "seconds": round(seconds, 3),
        "resumed": asdict(earlier) if earlier and earlier.is_continued else None,
        "provenance": provenance,
    }


def _of_pixels_or_depth(result: FusionResult) -> str:
    if not result.pixels_copied:
        return "pixels are computed, not copied"
    unit = result.depth_unit
    return f"depth in {'slices, their step is unknown' if unit == 'slice' else unit}"
