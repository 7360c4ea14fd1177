"""The part of ``napari-gmff weights`` that concerns models of restoration."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from napari_gmff.cli.byte_bar import ByteBar
from napari_gmff.cli.printing import card_in_short

if TYPE_CHECKING:
    from napari_gmff.weights.card import ModelCard
    from napari_gmff.weights.download import ProgressCallback
    from napari_gmff.weights.store import ModelStore

ACCEPT_FLAG = "--accept-license"


def add_restoration_commands(commands: Any) -> None:
    """Add ``consent`` and ``prompts`` to the commands of ``weights``."""
    command = commands.add_parser(
        "consent", help="read a restoration model's licence, and agree to it or no longer"
    )
    command.add_argument("name", metavar="NAME", help="sd21-base, ifcontrolnet or diffbir-v2")
    either = command.add_mutually_exclusive_group()
    add_accept_flag(either)
    either.add_argument("--withdraw", action="store_true", help="agree no longer")
    command.set_defaults(handler=consent)

    command = commands.add_parser(
        "prompts", help="embed the fixed prompts of a base model, or import them embedded"
    )
    command.add_argument("name", metavar="NAME", help="stored base model, such as sd21-base")
    command.add_argument("--file", type=Path, help="import them from this file")
    command.set_defaults(handler=keep_prompts)


def add_accept_flag(parser: ArgumentParser | Any) -> None:
    """Add the flag that stands for reading and agreeing."""
    parser.add_argument(
        ACCEPT_FLAG,
        action="store_true",
        help="agree to the licence of a restoration model without being asked",
    )


def consent(args: Namespace) -> int:
    """Show what is to be agreed to, and ask."""
    from napari_gmff.restoration.models.consent import withdraw_consent

    store = _store()
    if args.withdraw:
        was_given = withdraw_consent(args.name, store)
        print(f"{args.name}: {'agreement withdrawn' if was_given else 'was not agreed to'}")
        return 0
    agree(args.name, store, accepts=args.accept_license)
    print(f"{args.name}: agreed")
    return 0


def agree(name: str, store: ModelStore, *, accepts: bool) -> None:
    """Go on only if the user agreed before, agrees now, or has said so on the command line.

    Raises
    ------
    ConsentError
        If the user says no, or nobody can be asked.
    """
    from napari_gmff.errors import ConsentError
    from napari_gmff.restoration.models.consent import (
        consent_text,
        give_consent,
        has_consent,
        require_consent,
    )

    if has_consent(name, store):
        return
    for paragraph in consent_text(name, store).split("\n\n"):
        print(
            fill(paragraph, 88, break_long_words=False, break_on_hyphens=False),
            file=sys.stderr,
            end="\n\n",
        )
    if not accepts:
        if not sys.stdin.isatty():
            try:
                require_consent(name, store)
            except ConsentError as error:
                raise ConsentError(f"{error} on a terminal, or pass {ACCEPT_FLAG}") from None
        if input("Do you agree? Type yes: ").strip().lower() != "yes":
            raise ConsentError(f"{name}: not agreed to, so nothing was done")
    give_consent(name, store)


def import_restoration_file(args: Namespace) -> int:
    """Store a model of restoration."""
    from napari_gmff.errors import ParameterError
    from napari_gmff.restoration.models.identity import kind_of
    from napari_gmff.restoration.models.obtain import import_restoration_model

    store = _store()
    model = kind_of(args.file, args.kind)
    if args.license is not None and args.license != model.license.spdx:
        raise ParameterError(
            f"--license: {model.title} is under {model.license.spdx}, got {args.license}"
        )
    agree(model.name, store, accepts=args.accept_license)
    with ByteBar(args.file.name, quiet=not sys.stderr.isatty()) as bar:
        card = import_restoration_model(
            args.file,
            store,
            kind=args.kind,
            name=args.name,
            source=args.source,
            overwrite=args.overwrite,
            progress=bar.update,
        )
    print(f"{card.name}: stored as {card.title}, {card_in_short(card)}")
    return 0


def fetch(name: str, *, accepts: bool, progress: ProgressCallback | None) -> tuple[ModelCard, bool]:
    """Download a model of restoration, once its licence is agreed to."""
    from napari_gmff.restoration.models.obtain import download_restoration_model

    store = _store()
    agree(name, store, accepts=accepts)
    return download_restoration_model(name, store, progress=progress)


def verify_prompts(name: str) -> None:
    """Compare the embedded prompts of a base model, if it has them, with their SHA-256."""
    from napari_gmff.restoration.models.prompts import has_prompts, load_prompts

    if has_prompts(name, _store()):
        load_prompts(name, _store())


def keep_prompts(args: Namespace) -> int:
    """Compute or import the embedded prompts of a base model."""
    from napari_gmff.restoration.models.prompts import compute_prompts, import_prompts

    if args.file is None:
        card = compute_prompts(args.name, _store())
    else:
        card = import_prompts(args.file, args.name, _store())
    print(f"{args.name}: prompts {card.source}, sha256 {card.sha256}")
    return 0


def _store() -> ModelStore:
    from napari_gmff.weights.store import ModelStore

    return ModelStore()
