"""`napari-gmff info`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.cli.parameter_flags import add_parameter_flags, run_params
from napari_gmff.cli.printing import bytes_in_words, print_json
from napari_gmff.params import ReadParams

if TYPE_CHECKING:
    from napari_gmff.outlook import Outlook
    from napari_gmff.params import RunParams
    from napari_gmff.reading.positions import Position
    from napari_gmff.reading.stack import FocusStack

_MOST_NAMED = 8
"""Positions and channels that are printed; the rest are counted, and are all in --json."""


@dataclass(frozen=True)
class _Facts:
    """All that is known of a source."""

    stack: FocusStack
    params: RunParams
    positions: Sequence[Position]
    series: Sequence[str]
    problems: Sequence[str]
    outlook: Outlook | None
    seconds: float | None


def add_info_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "info",
        help="say what a source holds, and what fusing it would do",
        description="Say what a source holds (axes, voxel size, channels, positions, how it is "
        "stored), and what fusing it with these parameters would do: images, memory and time.",
    )
    parser.add_argument(
        "source", nargs="+", metavar="SOURCE", help="as for 'fuse'; several files are slices"
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument(
        "--no-estimate",
        action="store_true",
        help="read headers only: do not try how fast this machine is",
    )
    add_parameter_flags(parser)
    parser.set_defaults(handler=_info)


def _info(args: argparse.Namespace) -> int:
    from napari_gmff.estimate import estimate_seconds
    from napari_gmff.outlook import outlook_of
    from napari_gmff.reading.open import list_series, read_stack
    from napari_gmff.reading.positions import list_positions
    from napari_gmff.summary import problems_of

    params = run_params(args)
    source = args.source[0] if len(args.source) == 1 else args.source
    options = params.model_dump(include=set(ReadParams.model_fields), exclude_unset=True)
    positions = list_positions(source, axes=params.axes, allow_remote=params.allow_remote)
    with read_stack(source, **options) as stack:
        problems = problems_of(stack)
        outlook = None if problems else outlook_of(stack, params)
        is_tried = outlook is not None and not args.no_estimate
        facts = _Facts(
            stack=stack,
            params=params,
            positions=positions if len(positions) > 1 else [],
            series=list_series(source, allow_remote=params.allow_remote),
            problems=problems,
            outlook=outlook,
            seconds=estimate_seconds(stack, params) if is_tried else None,
        )
        if args.json:
            print_json(_as_json(facts))
        else:
            print(stack.name)
            for title, text in [*_source_lines(facts), *_fusion_lines(facts)]:
                print(f"  {title:<13} {text}")
    return 0


def _as_json(facts: _Facts) -> dict[str, Any]:
    stack, storage = facts.stack, facts.stack.storage
    z_um = stack.z_positions_um
    return {
        "name": stack.name,
        "kind": None if storage is None else storage.kind,
        "axes": stack.axes,
        "shape": [int(length) for length in stack.data.shape],
        "dtype": stack.dtype.name,
        "voxel_size_um": list(stack.voxel_size_um),
        "origin_yx_um": list(stack.origin_yx_um),
        "z_um": None if z_um is None else z_um.tolist(),
        "channels": [{"name": one.name, "color": one.color} for one in stack.channels],
        "pyramid_yx": [[int(length) for length in level.shape[3:5]] for level in stack.levels],
        "series": list(facts.series),
        "positions": [one.name for one in facts.positions],
        "storage": None
        if storage is None
        else {
            "compression": storage.compression,
            "layout": storage.layout,
            "chunk_yx": None if storage.chunk_yx is None else list(storage.chunk_yx),
            "files": [str(path) for path in storage.files],
            "bytes": storage.n_bytes(),
        },
        "metadata": stack.metadata,
        "notes": list(stack.notes),
        "problems": list(facts.problems),
        "fusion": None if facts.outlook is None else _fusion_as_json(facts, facts.outlook),
    }


def _fusion_as_json(facts: _Facts, outlook: Outlook) -> dict[str, Any]:
    return {
        "engine": outlook.engine,
        "slices": outlook.n_slices,
        "times": outlook.n_times,
        "windows": outlook.n_windows,
        "window_yx": list(outlook.window_yx),
        "images": {
            image.name: {"shape": list(image.shape), "dtype": image.dtype.name}
            for image in outlook.images
        },
        "output_bytes_at_most": outlook.output_bytes,
        "memory_bytes_about": outlook.memory_bytes,
        "seconds_about": facts.seconds,
    }


def _source_lines(facts: _Facts) -> Iterator[tuple[str, str]]:
    """Lines on the source: title and text."""
    stack, storage = facts.stack, facts.stack.storage
    if storage is not None:
        n_bytes = storage.n_bytes()
        size = "" if n_bytes is None else f", {bytes_in_words(n_bytes)} on disk"
        n_files = f" in {len(storage.files)} files" if len(storage.files) > 1 else ""
        yield "kind", f"{storage.kind}{n_files}{size}"
        stored = f"{storage.layout}, compression {storage.compression}"
        if storage.chunk_yx is not None:
            height, width = storage.chunk_yx
            stored = f"{storage.layout} of {width}×{height} px, compression {storage.compression}"
        yield "stored as", stored
    lengths = zip(stack.axes, stack.data.shape, strict=True)
    sizes = " · ".join(f"{letter} {length}" for letter, length in lengths)
    yield "axes", f"{sizes}, {stack.dtype.name}"
    yield "voxel size", _voxel_in_words(stack)
    yield "slices", _slices_in_words(stack)
    yield "channels", _listed([_channel_in_words(one) for one in stack.channels])
    if len(stack.levels) > 1:
        yield "pyramid", ", ".join(f"{one.shape[4]}×{one.shape[3]}" for one in stack.levels)
    if len(facts.series) > 1:
        yield "series", f"{len(facts.series)}: {_listed(facts.series)}"
    if facts.positions:
        names = _listed([one.name for one in facts.positions])
        yield "positions", f"{len(facts.positions)}: {names}"
    for note in stack.notes:
        yield "note", note


def _fusion_lines(facts: _Facts) -> Iterator[tuple[str, str]]:
    """Lines on what fusing would do."""
    from napari_gmff.estimate import words_for_seconds

    for problem in facts.problems:
        yield "cannot fuse", problem
    outlook = facts.outlook
    if outlook is None:
        return
    height, width = outlook.window_yx
    yield "fusing with", outlook.engine
    each = f" for each of {outlook.n_times} time points" if outlook.n_times > 1 else ""
    yield "windows", f"{outlook.n_windows} of at most {width}×{height} px{each}"
    yield "writes", ", ".join(f"{image.name} ({image.dtype.name})" for image in outlook.images)
    yield "output", f"at most {bytes_in_words(outlook.output_bytes)}, pyramids included"
    yield "memory", f"about {bytes_in_words(_rounded(outlook.memory_bytes))} on a CPU"
    if facts.seconds is not None:
        many = f" for each of {len(facts.positions)} positions" if _fuses_all(facts) else ""
        words = words_for_seconds(facts.seconds)
        yield "time", f"{words}{many}: an estimate, from a second of trying this machine"


def _fuses_all(facts: _Facts) -> bool:
    chosen = facts.params.position is not None or "series" in facts.params.model_fields_set
    return bool(facts.positions) and not chosen


def _voxel_in_words(stack: FocusStack) -> str:
    if stack.voxel_size_um == (None, None, None):
        return "unknown; --voxel-size-um Z,Y,X names it"
    sizes = zip("zyx", stack.voxel_size_um, strict=True)
    found = ", ".join(f"{axis} {'unknown' if um is None else f'{um:.5g}'}" for axis, um in sizes)
    return f"{found} µm"


def _slices_in_words(stack: FocusStack) -> str:
    from napari_gmff.summary import step_in_words

    z_um = stack.z_positions_um
    if z_um is None or stack.n_slices == 1:
        return f"{stack.n_slices}, {step_in_words(z_um) or 'nothing to choose from'}"
    rises = bool((np.diff(z_um) > 0).all())
    falls = bool((np.diff(z_um) < 0).all())
    order = "" if rises else ", falling" if falls else ", in no order"
    found = f"from {z_um[0]:.5g} to {z_um[-1]:.5g} µm, {step_in_words(z_um)}{order}"
    return f"{stack.n_slices} {found}"


def _channel_in_words(channel: Any) -> str:
    return f"{channel.name} (#{channel.color})" if channel.color else str(channel.name)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _rounded(n_bytes: float) -> float:
    """Round to what is known: 50 MB."""
    return 50e6 * max(1, round(n_bytes / 50e6))
