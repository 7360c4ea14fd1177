"""`napari-gmff restore --self-test`: restore what left-out slices showed, and compare."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from napari_gmff.cli.progress import progress_bar
from napari_gmff.errors import ParameterError

if TYPE_CHECKING:
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.restoration.params import RestoreParams
    from napari_gmff.restoration.restorer import Restorer
    from napari_gmff.results import FusionResult


def add_self_test_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the self-test."""
    parser.add_argument(
        "--self-test",
        action="store_true",
        help="with --stack: leave slices out, fuse and restore what remains, and say whether that "
        "came closer to the full fusion; without -o nothing else is done",
    )
    parser.add_argument(
        "--drop",
        metavar="A,B",
        help="slices that the self-test leaves out, from 0 [the middle third]",
    )


def check_self_test_flags(args: argparse.Namespace) -> None:
    """Refuse what belongs to a self-test without one, and a self-test without its stack.

    Raises
    ------
    ParameterError
        Naming the flag.
    """
    if not args.self_test:
        if args.drop is not None:
            raise ParameterError("--drop: names slices for --self-test, which is missing")
        if args.output is None:
            raise ParameterError("-o: must name the folder to write")
        return
    if args.stack is None or len(args.fused) > 1:
        raise ParameterError("--self-test: needs one fused image and the --stack it is from")
    _slices(args.drop)


def run_self_test(
    args: argparse.Namespace,
    params: RestoreParams,
    restorer: Restorer,
    fused: FusionResult,
    stack: FocusStack,
) -> dict[str, Any]:
    """Test on a stack, fused as it was before; print the verdict, and return it with its figures.

    Raises
    ------
    GmffError
        As for `napari_gmff.restoration.self_test.self_test`.
    """
    from napari_gmff.params import FuseParams, validated
    from napari_gmff.restoration.self_test import self_test

    was = fused.provenance["parameters"]
    fusing = {name: was[name] for name in FuseParams.model_fields if name in was}
    with progress_bar(hidden=args.quiet or args.json) as show:
        found = self_test(
            stack,
            accept_generative=args.accept_generative,
            restorer=restorer,
            params=params,
            fuse_params=validated(FuseParams, fusing),
            drop=_slices(args.drop),
            on_progress=show,
        )
    if not args.json:
        print(f"Self-test: {found.verdict}")
    return {"verdict": found.verdict, **_plain(asdict(found))}


def _slices(text: str | None) -> list[int] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ParameterError(f"--drop: must be numbers of slices such as 3,4,5, got {text!r}")
    return [int(part) for part in parts]


def _plain(value: Any) -> Any:
    """Write what is not finite as null, which is all that JSON has for it."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
