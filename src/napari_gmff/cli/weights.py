"""``napari-gmff weights``: the models on this machine."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from napari_gmff.weights.card import ModelCard
    from napari_gmff.weights.store import ModelStore, StoredModel
    from napari_gmff.weights.training_facts import TrainingFacts


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
    command.add_argument("--name", help="name in the store; from the file if left out")
    command.add_argument("--license", help="SPDX expression, such as MIT")
    command.add_argument("--source", help="where the file came from")
    command.add_argument("--overwrite", action="store_true", help="replace a model of that name")
    command.set_defaults(handler=import_file)

    command = commands.add_parser("download", help="download a model and store it")
    command.add_argument("name", metavar="NAME", help="such as authors-v4")
    command.add_argument("--quiet", action="store_true", help="show no progress")
    command.set_defaults(handler=download)

    command = commands.add_parser("verify", help="compare models with their SHA-256")
    command.add_argument("name", metavar="NAME", nargs="?", help="all models if left out")
    command.set_defaults(handler=verify)

    command = commands.add_parser("remove", help="delete a stored model")
    command.add_argument("name", metavar="NAME")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.set_defaults(handler=remove)


def list_models(args: Namespace) -> int:
    """Print one line for each shipped, stored or downloadable model."""
    from napari_gmff.weights.catalog import CATALOG

    store = _store()
    shipped, stored = _shipped(), store.models()
    available = [entry for name, entry in CATALOG.items() if not store.has(name)]
    if args.json:
        _print_json(
            {
                "store": str(store.root),
                "shipped": [_json_of(model) for model in shipped],
                "stored": [_json_of(model) for model in stored],
                "available": [
                    {"size_bytes": entry.size_bytes, "url": entry.url, "sha256": entry.sha256}
                    | entry.description.model_dump(mode="json")
                    for entry in available
                ],
            }
        )
        return 0
    rows = [("NAME", "ARCHITECTURE", "LICENSE", "SIZE", "STATE")]
    for state, models in (("shipped", shipped), ("stored", stored)):
        for model in models:
            card = model.card
            facts = (card.architecture, card.license) if card else ("?", "?")
            size = _size(model.size_bytes)
            rows.append((model.name, *facts, size, state if card else "damaged"))
    for entry in available:
        about = entry.description
        size = _size(entry.size_bytes)
        rows.append((entry.name, about.architecture, about.license, size, "to download"))
    _print_columns(rows)
    for model in (*shipped, *stored):
        if model.problem:
            print(f"damaged: {model.problem}", file=sys.stderr)
    return 0


def show_model(args: Namespace) -> int:
    """Print the card of a model."""
    card = _card(args.name)
    if args.json:
        _print_json(card.model_dump(mode="json"))
        return 0
    if args.markdown:
        from napari_gmff.weights.card_text import card_markdown

        print(card_markdown(card), end="")
        return 0
    facts = card.model_dump(mode="json", exclude={"schema_version", "input_range", "training"})
    rule = card.input_range
    facts["input_range"] = f"8 bit: {rule.eight_bit}, others: {rule.other}"
    if card.training is not None:
        facts |= _training_lines(card.training)
    _print_columns([(name, f"{value}") for name, value in facts.items() if value])
    return 0


def import_file(args: Namespace) -> int:
    """Store the model in a file."""
    from napari_gmff.weights.obtain import import_model

    card = import_model(
        args.file,
        _store(),
        name=args.name,
        license=args.license,
        source=args.source,
        overwrite=args.overwrite,
    )
    print(f"{card.name}: stored, {_short(card)}")
    return 0


def download(args: Namespace) -> int:
    """Store a model of the catalogue, from the network only if it is not stored yet."""
    from napari_gmff.weights.obtain import download_model
    from napari_gmff.weights.shipped_models import is_shipped, verify_shipped

    if is_shipped(args.name):
        card = verify_shipped()
        print(f"{card.name}: comes with the package, nothing to download, {_short(card)}")
        return 0
    bar = _DownloadBar(args.name, quiet=args.quiet)
    try:
        card, fetched = download_model(args.name, _store(), progress=bar.update)
    finally:
        bar.close()
    how = "downloaded and stored" if fetched else "already stored, verified"
    print(f"{card.name}: {how}, {_short(card)}")
    return 0


def verify(args: Namespace) -> int:
    """Check one model or all, and fail at the end if one is not sound."""
    from napari_gmff.errors import WeightsError

    if args.name is None:
        names = [model.name for model in (*_shipped(), *_store().models())]
    else:
        names = [args.name]
    problems = []
    for name in names:
        try:
            card = _card(name, verify=True)
        except WeightsError as error:
            problems.append(str(error))
        else:
            print(f"{card.name}: ok, {_short(card)}")
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

    name, store = canonical_name(args.name), _store()
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


class _DownloadBar:
    """A progress bar that appears with the first byte, and starts over when the download does."""

    def __init__(self, name: str, *, quiet: bool) -> None:
        self._name = name
        self._quiet = quiet
        self._bar: Any = None

    def update(self, done: int, total: int | None) -> None:
        if self._quiet:
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                desc=self._name, initial=done, unit="B", unit_scale=True, file=sys.stderr
            )
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _store() -> ModelStore:
    from napari_gmff.weights.store import ModelStore

    return ModelStore()


def _shipped() -> list[StoredModel]:
    """Describe the model that comes with the package, if this copy of it has it."""
    from napari_gmff.weights.shipped_models import SHIPPED_NAME, has_shipped, shipped_folder
    from napari_gmff.weights.store import described_folder

    return [described_folder(shipped_folder(), SHIPPED_NAME)] if has_shipped() else []


def _card(name: str, *, verify: bool = False) -> ModelCard:
    """Return the card of a shipped or stored model."""
    from napari_gmff.weights.catalog import canonical_name
    from napari_gmff.weights.shipped_models import is_shipped, shipped_card, verify_shipped

    name = canonical_name(name)
    if is_shipped(name):
        return verify_shipped() if verify else shipped_card()
    store = _store()
    return store.verify(name) if verify else store.card(name)


def _json_of(model: StoredModel) -> dict[str, object]:
    return {
        "name": model.name,
        "size_bytes": model.size_bytes,
        "problem": model.problem,
        "card": model.card and model.card.model_dump(mode="json"),
    }


def _training_lines(training: TrainingFacts) -> dict[str, str]:
    """Sum up how weights were trained; --markdown has the rest."""
    data = (f"{source.name} ({source.license})" for source in training.data)
    return {
        "trained": f"{training.steps} steps, {training.hours:.3g} h, {training.machine}",
        "configuration": training.config,
        "started_from": training.started_from,
        "data": ", ".join(data),
        "limits": "; ".join(training.limits),
    }


def _short(card: ModelCard) -> str:
    return f"{card.architecture}, licence {card.license}, sha256 {card.sha256}"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _print_columns(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
