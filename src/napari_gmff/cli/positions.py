"""Fusing the positions of a source one after the other, each into a folder of its own."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.cli.printing import print_json
from napari_gmff.errors import GmffError, OutputError, ParameterError, SourceError

if TYPE_CHECKING:
    from napari_gmff.params import RunParams
    from napari_gmff.reading.positions import Position

FuseOne = Callable[[argparse.Namespace, "RunParams", "Position"], dict[str, Any]]

_MOST_NAMED = 5
"""Outputs in the way that are named; the rest are counted."""


@dataclass
class _Tally:
    """What became of the positions, by name."""

    kept: dict[str, Path] = field(default_factory=dict)
    fused: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def positions_to_fuse(source: Any, params: RunParams) -> list[Position]:
    """Return the positions of a source that all are to be fused; none where one is meant.

    Raises
    ------
    SourceError
        If the source cannot be read.
    """
    from napari_gmff.reading.positions import list_positions

    if params.position is not None or "series" in params.model_fields_set:
        return []
    found = list_positions(source, axes=params.axes, allow_remote=params.allow_remote)
    return found if len(found) > 1 else []


def fuse_positions(
    args: argparse.Namespace, params: RunParams, positions: Sequence[Position], fuse_one: FuseOne
) -> int:
    """Fuse every position into a folder below ``args.output``, and go on where one fails.

    Parameters
    ----------
    args : argparse.Namespace
        Of ``napari-gmff fuse``.
    params : RunParams
        Of the run; each record says which position it is.
    positions : sequence of Position
        At least two.
    fuse_one : callable
        ``fuse_one(args, params, position)`` fuses one stack into ``args.output`` and returns
        its summary.

    Returns
    -------
    int
        0, or 2 if a position failed. Every output is complete or not there at all; with
        ``--resume`` those that are there already are kept.

    Raises
    ------
    OutputError
        Before anything is fused, if an output is in the way, or, with ``--resume``, is the result
        of another run.
    ParameterError
        If corrections were given: they are those of one stack.
    GmffError
        If the first position fails for a reason that is not in its own pixels.
    """
    from napari_gmff.reading.positions import folder_names

    if args.into is not None:
        raise ParameterError(
            f"into: takes the result of one stack, and {args.source[0]} holds {len(positions)}; "
            "name it with --position"
        )
    if args.corrections is not None:
        raise ParameterError(
            f"corrections: belong to one stack, and {args.source[0]} holds {len(positions)}; "
            "name it with --position"
        )
    outputs = [args.output / name for name in folder_names(positions)]
    _check_outputs(args, outputs)
    if _goes_on(args):
        for position, output in zip(positions, outputs, strict=True):
            _check_finished(output, params, position)
    is_new = not args.output.exists()
    tally = _Tally()
    try:
        args.output.mkdir(exist_ok=True)
        _fuse_all(args, params, list(zip(positions, outputs, strict=True)), fuse_one, tally)
    finally:
        if is_new and args.output.is_dir() and not any(args.output.iterdir()):
            args.output.rmdir()
    _report(args, tally)
    return 2 if tally.failed else 0


def _fuse_all(
    args: argparse.Namespace,
    params: RunParams,
    pairs: Sequence[tuple[Position, Path]],
    fuse_one: FuseOne,
    tally: _Tally,
) -> None:
    from napari_gmff.export.atomic import is_result

    names = [position.name for position, _ in pairs]
    for position, output in pairs:
        name = position.name if names.count(position.name) == 1 else str(position.number)
        if _goes_on(args) and is_result(output):
            tally.kept[name] = output
            continue
        one_args = argparse.Namespace(**{**vars(args), "output": output})
        one_params = params.model_copy(update={"position": name})
        try:
            tally.fused[name] = fuse_one(one_args, one_params, position)
        except (GmffError, MemoryError, OSError) as error:
            if position.number == 0 and not isinstance(error, SourceError | MemoryError):
                raise
            reason = " ".join(str(error or type(error).__name__).split())
            tally.failed[name] = reason
            print(f"napari-gmff: position {name}: {reason}", file=sys.stderr)


def _check_outputs(args: argparse.Namespace, outputs: Sequence[Path]) -> None:
    """Refuse up front what would only fail hours later."""
    from napari_gmff.export.atomic import check_not_source, check_output, is_result

    out = args.output
    check_not_source(out, [source for source in args.source if "://" not in source])
    if not os.path.lexists(out):
        check_output(out, False)
        return
    if not out.is_dir():
        raise OutputError(f"{out}: must be a folder, as the source holds {len(outputs)} positions")
    if is_result(out):
        raise OutputError(
            f"{out}: is a result itself, and the source holds {len(outputs)} positions; give "
            "another folder, or one of them with --position"
        )
    if _goes_on(args):
        outputs = [path for path in outputs if not is_result(path)]
    there = [path.name for path in outputs if os.path.lexists(path)]
    if there and not args.overwrite:
        more = f" and {len(there) - _MOST_NAMED} more" if len(there) > _MOST_NAMED else ""
        raise OutputError(
            f"{out}: {', '.join(there[:_MOST_NAMED])}{more} already there, and only replaced with "
            "--overwrite"
        )
    for path in outputs:
        check_output(path, args.overwrite)


def _goes_on(args: argparse.Namespace) -> bool:
    """Whether an earlier run is continued: positions that it finished stay.

    With ``--overwrite`` nobody could tell them from those that are to be replaced.
    """
    return bool(args.resume) and not args.overwrite


def _check_finished(output: Path, params: RunParams, position: Position) -> None:
    """Refuse to take a result for one of this run that was fused in another way."""
    from napari_gmff.export.atomic import is_result
    from napari_gmff.marks import NOT_MEASURED, is_restored
    from napari_gmff.params import FuseParams, ReadParams
    from napari_gmff.provenance import read_provenance
    from napari_gmff.reading.open import read_stack
    from napari_gmff.unfinished.identity import differences

    if not is_result(output):
        return
    record = read_provenance(output)
    if is_restored(record):
        raise OutputError(
            f"{output}: --resume keeps finished positions, but {NOT_MEASURED}; give another folder"
        )
    fields = set(FuseParams.model_fields)
    options = params.model_dump(
        include=set(ReadParams.model_fields) - {"position"}, exclude_unset=True
    )
    with read_stack(position, **options) as stack:
        now = {"source": stack.fingerprint, **params.model_dump(mode="json", include=fields)}
    found = record["parameters"]
    was = {"source": record["source"]["fingerprint"], **{name: found.get(name) for name in fields}}
    named = ", ".join(differences(was, now))
    if named:
        raise OutputError(
            f"{output}: --resume keeps finished positions, but this one is of another run "
            f"({named}); without --resume, and with --overwrite, all are fused again"
        )


def _report(args: argparse.Namespace, tally: _Tally) -> None:
    n_all = len(tally.kept) + len(tally.fused) + len(tally.failed)
    if args.json:
        there = {name: str(path) for name, path in tally.kept.items()}
        print_json(
            {
                "output": str(args.output),
                "positions": tally.fused,
                "already_there": there,
                "failed": tally.failed,
            }
        )
    elif not args.quiet:
        before = f", {len(tally.kept)} were already there" if tally.kept else ""
        print(f"{args.output}: {len(tally.fused)} of {n_all} positions fused{before}")
    if tally.failed:
        print(
            f"napari-gmff: {len(tally.failed)} of {n_all} positions failed: "
            f"{', '.join(tally.failed)}",
            file=sys.stderr,
        )
