"""``napari-gmff weights``: the models on this machine."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.cli.byte_bar import ByteBar
from napari_gmff.cli.printing import card_in_short
from napari_gmff.cli.restoration_weights import (
    add_accept_flag,
    add_restoration_commands,
    fetch,
    import_restoration_file,
    verify_prompts,
)
from napari_gmff.cli.weights_tables import (
    known_card,
    list_models,
    shipped_models,
    show_model,
    user_store,
)

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_weights_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command; each of its own sets ``handler``, a function of the parsed arguments.

    A handler returns the exit code and raises `napari_gmff.errors.GmffError` for problems.
    """
    parser = subparsers.add_parser(
        "weights",
        help="list, get, check and remove the networks' weights",
        description="Manage the networks' weights: those that come with the package, and those "
        "stored in the folder that the environment variable NAPARI_GMFF_MODELS names, else in "
        "your data folder.",
    )
    commands = parser.add_subparsers(dest="weights_command", required=True, metavar="COMMAND")

    command = commands.add_parser("list", help="list shipped, stored and downloadable models")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(handler=list_models)

    command = commands.add_parser("info", help="show what is known about a model")
    command.add_argument("name", metavar="NAME")
    style = command.add_mutually_exclusive_group()
    style.add_argument("--json", action="store_true", help="print JSON")
    style.add_argument("--markdown", action="store_true", help="print the whole card as Markdown")
    command.set_defaults(handler=show_model)

    command = commands.add_parser("import", help="check a weights file and store it")
    command.add_argument("file", metavar="FILE", type=Path, help="weights file or model folder")
    command.add_argument(
        "--as",
        dest="kind",
        metavar="MODEL",
        help="of restoration: what the file is, sd21-base, ifcontrolnet or diffbir-v2",
    )
    command.add_argument("--name", help="name in the store; from the file if left out")
    command.add_argument("--license", help="SPDX expression, such as MIT")
    command.add_argument("--source", help="where the file came from")
    command.add_argument("--overwrite", action="store_true", help="replace a model of that name")
    add_accept_flag(command)
    command.set_defaults(handler=import_file)

    command = commands.add_parser("download", help="download a model and store it")
    command.add_argument("name", metavar="NAME", help="such as authors-v4, or sd21-base (5.2 GB)")
    add_accept_flag(command)
    command.add_argument("--quiet", action="store_true", help="show no progress")
    command.set_defaults(handler=download)

    command = commands.add_parser("verify", help="compare models with their SHA-256")
    command.add_argument("name", metavar="NAME", nargs="?", help="all models if left out")
    command.set_defaults(handler=verify)

    command = commands.add_parser("remove", help="delete a stored model")
    command.add_argument("name", metavar="NAME")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.set_defaults(handler=remove)

    add_restoration_commands(commands)


def import_file(args: Namespace) -> int:
    """Store the model in a file."""
    from napari_gmff.restoration.models.identity import looks_restorative
    from napari_gmff.weights.obtain import import_model

    if args.kind is not None or looks_restorative(args.file):
        return import_restoration_file(args)
    card = import_model(
        args.file,
        user_store(),
        name=args.name,
        license=args.license,
        source=args.source,
        overwrite=args.overwrite,
    )
    print(f"{card.name}: stored, {card_in_short(card)}")
    return 0


def download(args: Namespace) -> int:
    """Store a model of the catalogue, from the network only if it is not stored yet."""
    from napari_gmff.restoration.models.catalog import RESTORATION_MODELS
    from napari_gmff.weights.obtain import download_model
    from napari_gmff.weights.shipped_models import is_shipped, verify_shipped

    if is_shipped(args.name):
        card = verify_shipped()
        print(f"{card.name}: comes with the package, nothing to download, {card_in_short(card)}")
        return 0
    with ByteBar(args.name, quiet=args.quiet) as bar:
        if args.name in RESTORATION_MODELS:
            card, fetched = fetch(args.name, accepts=args.accept_license, progress=bar.update)
        else:
            card, fetched = download_model(args.name, user_store(), progress=bar.update)
    how = "downloaded and stored" if fetched else "already stored, verified"
    print(f"{card.name}: {how}, {card_in_short(card)}")
    return 0


def verify(args: Namespace) -> int:
    """Check one model or all, and fail at the end if one is not sound."""
    from napari_gmff.errors import WeightsError

    if args.name is None:
        names = [model.name for model in (*shipped_models(), *user_store().models())]
    else:
        names = [args.name]
    problems = []
    for name in names:
        try:
            card = known_card(name, verify=True)
            verify_prompts(card.name)
        except WeightsError as error:
            problems.append(str(error))
        else:
            print(f"{card.name}: ok, {card_in_short(card)}")
    if problems:
        raise WeightsError("; ".join(problems))
    if not names:
        print("there are no models")
    return 0


def remove(args: Namespace) -> int:
    """Delete a stored model after asking."""
    from napari_gmff.errors import ParameterError
    from napari_gmff.weights.catalog import canonical_name
    from napari_gmff.weights.shipped_models import is_shipped

    name, store = canonical_name(args.name), user_store()
    if is_shipped(name):
        raise ParameterError(f"{name}: comes with the package and cannot be removed")
    if not store.has(name):
        store.card(name)  # raises with the names that could have been meant
    if not args.yes:
        if not sys.stdin.isatty():
            raise ParameterError(f"{name}: removing needs --yes where nobody can be asked")
        answer = input(f"Remove {name} from {store.root}? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            print(f"{name}: kept")
            return 0
    store.remove(name)
    print(f"{name}: removed")
    return 0
