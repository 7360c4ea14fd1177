"""`napari-gmff demo`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.cli.progress import progress_bar
from napari_gmff.params import DEFAULT_ENGINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_gmff.demo import DemoScores

DEFAULT_FOLDER = Path("napari-gmff-demo")


def add_demo_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "demo",
        help="make a stack with known truth, fuse it, and score the result",
        description="Make a synthetic 12-slice stack with known truth, fuse it offline, compare "
        "the result with the truth, and write it with a picture. Takes about ten seconds.",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=DEFAULT_FOLDER,
        metavar="DIR",
        help=f"folder for demo.png and demo.ome.zarr, made if need be [{DEFAULT_FOLDER}]",
    )
    parser.add_argument("--engine", metavar="ENGINE", help=f"focus measure [{DEFAULT_ENGINE}]")
    parser.add_argument("--weights", metavar="NAME|FILE", help="use StackMFF V4 with these weights")
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
    parser.set_defaults(handler=_demo)


def _demo(args: argparse.Namespace) -> int:
    from napari_gmff.errors import OutputError

    folder: Path = args.output
    is_new = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror})") from None
    try:
        return _run(args, folder)
    except BaseException:
        # Only if nothing finished is in it.
        if is_new and not any(folder.iterdir()):
            folder.rmdir()
        raise


def _run(args: argparse.Namespace, folder: Path) -> int:
    from napari_gmff.demo import demo_scene, demo_stack, score, write_demo_panel
    from napari_gmff.pipeline import fuse

    scene = demo_scene()
    chosen = {name: getattr(args, name) for name in ("engine", "weights") if getattr(args, name)}
    out, picture = folder / "demo.ome.zarr", folder / "demo.png"
    with progress_bar(hidden=args.json) as show:
        result = fuse(
            demo_stack(scene),
            output=out,
            overwrite=True,
            on_progress=show,
            **chosen,
        )
    with result:
        scores = score(scene, result)
        write_demo_panel(scene, result, picture)
        engine, weights = result.provenance["engine"], result.provenance["weights"]
    name = weights["name"] if weights else None
    if args.json:
        print(json.dumps({"engine": engine, "weights": name, **asdict(scores)}, indent=2))
        return 0
    how = f"{engine} ({name})" if name else engine
    print(f"A synthetic relief, 12 slices of 768×768, fused with {how}, against the truth:")
    for title, value, remark in _lines(scores, scene.z_step_um):
        print(f"  {title:15} {value:>9}  ({remark})")
    if not result.pixels_copied:
        print("  Pixels are computed, not copied: there is no focus index, depth or confidence.")
    print(f"Picture: {picture}")
    print(f"Result:  {out}")
    return 0


def _lines(scores: DemoScores, z_step_um: float) -> Iterator[tuple[str, str, str]]:
    """Yield title, value and remark of all that there is a score of."""
    yield (
        "PSNR",
        f"{scores.psnr_db:.2f} dB",
        f"best single slice {scores.slice_psnr_db:.2f} dB, "
        f"true focus map {scores.best_psnr_db:.2f} dB",
    )
    if scores.accuracy is None:
        return
    yield (
        "focus accuracy",
        f"{scores.accuracy:.1%}",
        f"within one slice {scores.within_one:.2%} of textured pixels",
    )
    yield (
        "depth error",
        f"{scores.depth_error_um:.3f} µm",
        f"without refinement {scores.unrefined_error_um:.3f} µm, slices are {z_step_um} µm apart",
    )
    yield (
        "confidence",
        f"{scores.confidence_auroc:.3f}",
        "AUROC for pixels more than one slice off",
    )
