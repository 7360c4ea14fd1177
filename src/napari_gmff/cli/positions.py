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

    fused: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
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
        0, or 2 if a position failed. Every output is complete or not there at all.

    Raises
    ------
    OutputError
        Before anything is fused, if an output is in the way.
    ParameterError
        If corrections were given: they are those of one stack.
    GmffError
        If the first position fails for a reason that is not in its own pixels.
    """
    from napari_gmff.reading.positions import folder_names

    if args.corrections is not None:
        raise ParameterError(
            f"corrections: belong to one stack, and {args.source[0]} holds {len(positions)}; "
            "name it with --position"
        )
    outputs = [args.output / name for name in folder_names(positions)]
    _check_outputs(args, outputs)
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
    names = [position.name for position, _ in pairs]
    for position, output in pairs:
        name = position.name if names.count(position.name) == 1 else str(position.number)
        one_args = argparse.Namespace(**{**vars(args), "output": output})
        one_params = params.model_copy(update={"position": name})
        if _goes_on(args) and os.path.lexists(output):
            _check_same(output, one_params)
            tally.kept.append(name)
            continue
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
    there = [path.name for path in outputs if os.path.lexists(path)]
    if _goes_on(args):
        return
    if there and not args.overwrite:
        more = f" and {len(there) - _MOST_NAMED} more" if len(there) > _MOST_NAMED else ""
        raise OutputError(
            f"{out}: {', '.join(there[:_MOST_NAMED])}{more} already there, and only replaced with "
            "--overwrite"
        )
    for path in outputs:
        check_output(path, args.overwrite)


def _goes_on(args: argparse.Namespace) -> bool:
    """Whether an earlier run is continued: positions that it finished stay."""
    return bool(getattr(args, "resume", False)) and not args.overwrite


def _check_same(output: Path, params: RunParams) -> None:
    """Refuse to leave a result of other parameters among those of this run."""
    from napari_gmff.provenance import read_provenance

    before, now = read_provenance(output)["parameters"], params.model_dump(mode="json")
    changed = [key for key in now if before.get(key) != now[key]]
    if changed:
        key = changed[0]
        raise OutputError(
            f"{output}: is a result of other parameters ({key}: was {before.get(key)!r}, now "
            f"{now[key]!r}); without --resume and with --overwrite all start again"
        )


def _report(args: argparse.Namespace, tally: _Tally) -> None:
    n_all = len(tally.fused) + len(tally.kept) + len(tally.failed)
    if args.json:
        said = {"positions": tally.fused, "already_there": tally.kept, "failed": tally.failed}
        print_json({"output": str(args.output), **said})
    elif not args.quiet:
        kept = f", {len(tally.kept)} were already there" if tally.kept else ""
        print(f"{args.output}: {len(tally.fused)} of {n_all} positions fused{kept}")
    if tally.failed:
        print(
            f"napari-gmff: {len(tally.failed)} of {n_all} positions failed: "
            f"{', '.join(tally.failed)}",
            file=sys.stderr,
        )
