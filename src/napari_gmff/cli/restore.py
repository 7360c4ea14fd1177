"""`napari-gmff restore`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.cli.byte_bar import ByteBar
from napari_gmff.cli.parameter_flags import add_parameter_flags, params_of
from napari_gmff.cli.printing import print_json, warn
from napari_gmff.cli.progress import progress_bar
from napari_gmff.cli.self_test import add_self_test_flags, check_self_test_flags, run_self_test
from napari_gmff.errors import ConsentError, OutputError, ParameterError
from napari_gmff.marks import BANNER
from napari_gmff.params import FORMATS, ReadParams
from napari_gmff.restoration.params import RestoreParams

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.restoration.restorer import Restorer
    from napari_gmff.restoration_result import RestorationResult
    from napari_gmff.results import FusionResult

ACCEPT_FLAG = "--accept-generative"


def add_restore_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "restore",
        help="let a generative model invent detail where a fused image has low confidence",
        description="Let a generative model invent plausible detail where a fused image has low "
        "focus confidence, or where a mask says so. The result is no measurement, and not for "
        "quantification or diagnosis. Outside the mask it equals the fused image bit for bit; "
        "beside it come the mask and the differences. Needs the extra 'restoration' and models "
        "(see 'napari-gmff weights list').",
    )
    parser.add_argument(
        "fused",
        nargs="+",
        type=Path,
        metavar="FUSED",
        help="OME-Zarr result of 'napari-gmff fuse'; of several, each is restored",
    )
    parser.add_argument(
        ACCEPT_FLAG,
        action="store_true",
        help="needed: yes, content may be invented, and the result is no measurement",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="OUT",
        help="folder to write; of several FUSED, a folder for the folders of all",
    )
    parser.add_argument(
        "--stack",
        metavar="SOURCE",
        help="the stack that was fused, to show where the restored image contradicts it",
    )
    add_self_test_flags(parser)
    parser.add_argument(
        "--mask",
        type=Path,
        metavar="FILE",
        help="restore where this is not 0, instead of where confidence is low: PNG, TIFF, .npy, "
        "or a label image of an OME-Zarr",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="ome-zarr",
        help="OME-Zarr 0.5, OME-Zarr 0.4, OME-TIFF files, or TIFF files for ImageJ [ome-zarr]",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier result of this program"
    )
    quiet = parser.add_mutually_exclusive_group()
    quiet.add_argument("--quiet", action="store_true", help="print errors and warnings only")
    quiet.add_argument("--json", action="store_true", help="print a summary as JSON")
    add_parameter_flags(parser, RestoreParams)
    parser.set_defaults(handler=_restore)


def _restore(args: argparse.Namespace) -> int:
    if not args.accept_generative:
        raise ConsentError(
            f"restore: {BANNER} Outside the mask pixels stay as measured; inside, content may be "
            f"invented. Pass {ACCEPT_FLAG} if that is what you want"
        )
    params = params_of(args, RestoreParams)
    check_self_test_flags(args)
    outputs = _outputs(args)
    with _folder_for(args, outputs):
        _check(args, params, outputs)
        restorer = _loaded(args, params)
        tested = _self_test(args, params, restorer) if args.self_test else None
        summaries = [
            _restore_one(args, params, restorer, fused, output)
            for fused, output in zip(args.fused, outputs, strict=False)  # or none is written
        ]
    if args.json:
        summary = summaries[0] if len(outputs) == 1 else {"restored": summaries}
        print_json(summary if tested is None else {**summary, "self_test": tested})
    return 0


def _check(args: argparse.Namespace, params: RestoreParams, outputs: Sequence[Path]) -> None:
    """Refuse up front what a long run would only end at."""
    from napari_gmff.export.atomic import check_output
    from napari_gmff.restoration.models.load import check_ready

    if len(outputs) > 1 and (args.stack is not None or args.mask is not None):
        flag = "--stack" if args.stack is not None else "--mask"
        raise ParameterError(f"{flag}: belongs to one fused image, got {len(outputs)}")
    check_ready(params)
    for output in outputs:
        check_output(output, args.overwrite)
    for path in args.fused:
        with _opened(path) as fused:
            _mask(args, fused)


def _loaded(args: argparse.Namespace, params: RestoreParams) -> Restorer:
    from napari_gmff.restoration.models.load import load_restorer
    from napari_gmff.restoration.models.prompts import has_prompts

    is_quiet = args.quiet or args.json
    if not has_prompts(params.base) and not is_quiet:
        print(f"napari-gmff: embedding the prompts of {params.base}, once", file=sys.stderr)
    with ByteBar("Checking models", quiet=is_quiet or not sys.stderr.isatty()) as bar:
        return load_restorer(params, progress=bar.update)


def _self_test(
    args: argparse.Namespace, params: RestoreParams, restorer: Restorer
) -> dict[str, Any]:
    with _opened(args.fused[0]) as fused, _opened_stack(args.stack, fused) as stack:
        return run_self_test(args, params, restorer, fused, stack)


def _restore_one(
    args: argparse.Namespace,
    params: RestoreParams,
    restorer: Restorer,
    path: Path,
    output: Path,
) -> dict[str, Any]:
    """Restore one fused image into `output`; return the summary of the run."""
    from napari_gmff.export.atomic import check_not_source
    from napari_gmff.restoration.run import restore

    started = time.perf_counter()
    with ExitStack() as closing:
        fused = closing.enter_context(_opened(path))
        check_not_source(output, [str(path)])
        stack = None
        if args.stack is not None:
            stack = closing.enter_context(_opened_stack(args.stack, fused))
        with progress_bar(hidden=args.quiet or args.json) as show:
            result = restore(
                fused,
                accept_generative=args.accept_generative,
                stack=stack,
                mask=_mask(args, fused),
                restorer=restorer,
                params=params,
                output=output,
                format=args.format,
                overwrite=args.overwrite,
                on_progress=show,
            )
        closing.enter_context(result)
        return _report(args, path, output, result, time.perf_counter() - started)


def _outputs(args: argparse.Namespace) -> list[Path]:
    """Return what is written for each fused image; nothing for a self-test alone."""
    if args.output is None:
        return []
    if len(args.fused) == 1:
        return [args.output]
    ending = {"ome-zarr": ".ome.zarr", "ome-zarr-0.4": ".ome.zarr"}.get(args.format, "")
    stems = [path.resolve().name.removesuffix(".zarr").removesuffix(".ome") for path in args.fused]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise ParameterError(
            f"FUSED: names must differ, as outputs are named after them, got {twice[0]} twice"
        )
    return [args.output / f"{stem}.restored{ending}" for stem in stems]


@contextmanager
def _folder_for(args: argparse.Namespace, outputs: Sequence[Path]) -> Iterator[None]:
    """Make the folder for several outputs; a new one is gone again if nothing came into it."""
    from napari_gmff.export.atomic import is_result

    folder: Path = args.output
    if len(outputs) < 2:
        yield
        return
    if os.path.lexists(folder) and (not folder.is_dir() or is_result(folder)):
        raise OutputError(f"{folder}: must be a folder for several results")
    is_new = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror})") from None
    try:
        yield
    finally:
        if is_new and not any(folder.iterdir()):
            folder.rmdir()


def _opened(path: Path) -> FusionResult:
    from napari_gmff.restoration_result import RestorationResult
    from napari_gmff.results import open_result

    result = open_result(path)
    if isinstance(result, RestorationResult):
        result.close()
        raise ParameterError(
            f"{path}: is restored already, and only measured pixels may be restored; give the "
            "fused image"
        )
    return result


def _opened_stack(source: str, fused: FusionResult) -> AbstractContextManager[FocusStack]:
    """Read the stack as it was read for fusing; what was not said then is not said now."""
    from napari_gmff.reading.open import read_stack

    was = fused.provenance["parameters"]
    options = {
        name: was[name]
        for name, field in ReadParams.model_fields.items()
        if was.get(name) not in (None, field.default)
    }
    return read_stack(source, **options)


def _mask(args: argparse.Namespace, fused: FusionResult) -> NDArray[np.bool_] | None:
    """Read the mask that was given, if one was."""
    from napari_gmff.restoration.mask_files import read_mask

    if args.mask is None:
        return None
    spec = fused.images["fused"]
    sizes = dict(zip(spec.axes, spec.shape, strict=True))
    return read_mask(args.mask, tuple(sizes[axis] for axis in "tyx" if axis in sizes))


def _report(
    args: argparse.Namespace, path: Path, output: Path, result: RestorationResult, seconds: float
) -> dict[str, Any]:
    """Print what happened, unless it is wanted as JSON; return it."""
    record = result.restoration
    for warning in record["warnings"]:
        warn(warning)
    if not (args.json or args.quiet):
        title, share = record["title"], result.changed_share
        print(
            f"{path}: {share:.2%} of the pixels changed by {title} on {record['device']} in "
            f"{seconds:.1f} s; {record['mark']}"
        )
        found = record["contradiction"]
        if found is not None:
            print(
                f"{path}: {found['share_contradicted']:.2%} of the pixels in the mask contradict "
                f"the slices by {found['from']:g} times their noise or more"
            )
        print(f"{output}: {', '.join(result.images)}")
        sys.stdout.flush()
    return {
        "fused": str(path),
        "output": str(output),
        "format": args.format,
        "images": {name: list(spec.shape) for name, spec in result.images.items()},
        "changed_share": result.changed_share,
        "contradiction": record["contradiction"],
        "seconds": round(seconds, 3),
        "provenance": result.provenance,
    }
