"""`napari-gmff evaluate`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_gmff.evaluation.board import Board
    from napari_gmff.evaluation.columns import Column
    from napari_gmff.evaluation.report import Report
    from napari_gmff.evaluation.runners import Runner

DEFAULT_FOLDER = Path("napari-gmff-evaluation")
QUICK_SCENES, QUICK_SIZE_PX = 2, 256


def add_evaluate_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score engines and weights on scenes with known truth",
        description="Score engines and weights on scenes with known truth, and write a page with "
        "tables, a CSV file of every scene, and plots.",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=DEFAULT_FOLDER,
        metavar="DIR",
        help="folder for evaluation.md and the folder evaluation with all other files "
        f"[{DEFAULT_FOLDER}]",
    )
    parser.add_argument(
        "--columns",
        default="",
        metavar="A,B",
        help="kinds of scenes, separated by commas (see --list) [all]",
    )
    parser.add_argument(
        "--engines",
        default="",
        metavar="A,B",
        help="engines, separated by commas; enfuse may be one [all that can run]",
    )
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="NAME|FILE",
        help="also score StackMFF V4 with these weights; may be given several times",
    )
    parser.add_argument(
        "--unsmoothed",
        action="store_true",
        help="score every network a second time on input that is never smoothed",
    )
    parser.add_argument(
        "--scenes", type=_positive, default=8, metavar="N", help="scenes in each column [8]"
    )
    parser.add_argument(
        "--size-px", type=_side, default=512, metavar="PX", help="side of the scenes [512]"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_SCENES} scenes of {QUICK_SIZE_PX} px in each column, for a first look",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="add a column: the papers' recipe on the photographs in this folder",
    )
    parser.add_argument(
        "--stacks",
        type=Path,
        metavar="DIR",
        help="add a picture of every engine's result on the real stacks in this folder",
    )
    parser.add_argument("--device", default="auto", metavar="DEVICE", help="as for fuse [auto]")
    parser.add_argument("--threads", type=_positive, metavar="N", help="as for fuse")
    parser.add_argument("--list", action="store_true", help="list the kinds of scenes, and end")
    parser.set_defaults(handler=_evaluate)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return number


def _side(text: str) -> int:
    number = int(text)
    if number < 64:
        raise argparse.ArgumentTypeError(f"must be at least 64, got {text}")
    return number


def _evaluate(args: argparse.Namespace) -> int:
    from napari_gmff.evaluation.columns import (
        chosen_columns,
        photograph_column,
        standard_columns,
    )

    columns = standard_columns()
    if args.images is not None:
        columns.append(photograph_column(args.images))
    if args.list:
        for column in columns:
            print(f"{column.name}: {column.sentence}")
        return 0
    return _run(args, chosen_columns(columns, _names(args.columns)))


def _run(args: argparse.Namespace, columns: list[Column]) -> int:
    from napari_gmff.evaluation.gallery import find_stacks
    from napari_gmff.evaluation.report import Report, check_page, write_report
    from napari_gmff.evaluation.runners import make_runners, runner_names

    if args.quick:
        args.scenes, args.size_px = QUICK_SCENES, QUICK_SIZE_PX
    # Before the long part: the run must not end at what was wrong all along.
    check_page(args.output)
    if args.stacks is not None:
        find_stacks(args.stacks)
    common = {"device": args.device, "threads": args.threads}
    runners, notes = make_runners(
        _names(args.engines), args.weights, common, unsmoothed=args.unsmoothed
    )
    report = Report(
        command=_command(args),
        n_scenes=args.scenes,
        size_px=args.size_px,
        references=runner_names(args.weights),
        notes=notes,
    )
    for note in notes:
        print(f"napari-gmff: {note}", file=sys.stderr)
    board = _scored(columns, runners, args)
    _add_pictures(board, runners, report, args)
    page = write_report(board, report, args.output)
    print(f"Report: {page}")
    return 0


def _scored(columns: list[Column], runners: list[Runner], args: argparse.Namespace) -> Board:
    from napari_gmff.evaluation.board import Board, run_board
    from napari_gmff.evaluation.report import column_text

    board = Board([], [])
    for board, column in run_board(columns, runners, args.scenes, args.size_px):
        print(f"{column.name} ({args.scenes} scenes)\n{column_text(board, column.name)}")
        sys.stdout.flush()
    return board


def _add_pictures(
    board: Board, runners: list[Runner], report: Report, args: argparse.Namespace
) -> None:
    from napari_gmff.evaluation.gallery import write_gallery
    from napari_gmff.evaluation.plots import write_plots
    from napari_gmff.evaluation.report import FILES

    folder = args.output / FILES
    folder.mkdir(parents=True, exist_ok=True)
    report.pictures.extend(write_plots(board, folder))
    if args.stacks is not None:
        report.pictures.extend(write_gallery(args.stacks, runners, folder, report.notes))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _command(args: argparse.Namespace) -> str:
    """Repeat what matters of the command, with names instead of this machine's paths."""
    words = ["napari-gmff evaluate"]
    if args.columns:
        words.append(f'--columns "{args.columns}"')
    if args.engines:
        words.append(f'--engines "{args.engines}"')
    words.extend(f"--weights {Path(name).name}" for name in args.weights)
    if args.unsmoothed:
        words.append("--unsmoothed")
    words.append("--quick" if args.quick else f"--scenes {args.scenes} --size-px {args.size_px}")
    if args.images is not None:
        words.append(f"--images {args.images.name}")
    if args.stacks is not None:
        words.append(f"--stacks {args.stacks.name}")
    return " ".join(words)
