"""What ``napari-gmff weights`` tells of models: lists and cards."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_gmff.restoration.models.catalog import RestorationModel
    from napari_gmff.weights.card import ModelCard
    from napari_gmff.weights.store import ModelStore, StoredModel
    from napari_gmff.weights.training_facts import TrainingFacts


def list_models(args: Namespace) -> int:
    """Print one line for each shipped, stored or downloadable model."""
    from napari_gmff.restoration.models.catalog import RESTORATION_MODELS
    from napari_gmff.weights.catalog import CATALOG

    store = user_store()
    shipped, stored = shipped_models(), store.models()
    available = [entry for name, entry in CATALOG.items() if not store.has(name)]
    restoring = [model for name, model in RESTORATION_MODELS.items() if not store.has(name)]
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
                "for_restoration": [_json_of_restoring(model) for model in restoring],
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
    for one in restoring:
        known = one.published
        size, state = (_size(known.size_bytes), "to download") if known else ("?", "to import")
        rows.append((one.name, one.architecture, one.license.spdx, size, f"{state}, restores"))
    _print_columns(rows)
    for model in (*shipped, *stored):
        if model.problem:
            print(f"damaged: {model.problem}", file=sys.stderr)
    return 0


def show_model(args: Namespace) -> int:
    """Print the card of a model."""
    from napari_gmff.restoration.models.catalog import is_for_restoration

    card = known_card(args.name)
    if args.json:
        _print_json(card.model_dump(mode="json"))
        return 0
    if args.markdown:
        from napari_gmff.weights.card_text import card_markdown

        print(card_markdown(card), end="")
        return 0
    if is_for_restoration(card.architecture):
        _print_columns([(name, value) for name, value in _restoration_lines(card).items() if value])
        return 0
    facts = card.model_dump(mode="json", exclude={"schema_version", "input_range", "training"})
    rule = card.input_range
    facts["input_range"] = f"8 bit: {rule.eight_bit}, others: {rule.other}"
    if card.training is not None:
        facts |= _training_lines(card.training)
    _print_columns([(name, f"{value}") for name, value in facts.items() if value])
    return 0


def user_store() -> ModelStore:
    """Return the store of whoever runs the program."""
    from napari_gmff.weights.store import ModelStore

    return ModelStore()


def shipped_models() -> list[StoredModel]:
    """Describe the model that comes with the package, if this copy of it has it."""
    from napari_gmff.weights.shipped_models import SHIPPED_NAME, has_shipped, shipped_folder
    from napari_gmff.weights.store import described_folder

    return [described_folder(shipped_folder(), SHIPPED_NAME)] if has_shipped() else []


def known_card(name: str, *, verify: bool = False) -> ModelCard:
    """Return the card of a shipped or stored model."""
    from napari_gmff.weights.catalog import canonical_name
    from napari_gmff.weights.shipped_models import is_shipped, shipped_card, verify_shipped

    name = canonical_name(name)
    if is_shipped(name):
        return verify_shipped() if verify else shipped_card()
    store = user_store()
    return store.verify(name) if verify else store.card(name)


def _json_of(model: StoredModel) -> dict[str, object]:
    return {
        "name": model.name,
        "size_bytes": model.size_bytes,
        "problem": model.problem,
        "card": model.card and model.card.model_dump(mode="json"),
    }


def _json_of_restoring(model: RestorationModel) -> dict[str, object]:
    known = model.published
    return {
        "name": model.name,
        "title": model.title,
        "architecture": model.architecture,
        "license": model.license.spdx,
        "source": model.source,
        "file_name": model.file_name,
        "url": known and known.url,
        "sha256": known and known.sha256,
        "size_bytes": known and known.size_bytes,
    }


def _restoration_lines(card: ModelCard) -> dict[str, str]:
    """Say of a model of restoration what concerns it; it has no rules for input of fusing."""
    from napari_gmff.restoration.models.catalog import model_called
    from napari_gmff.restoration.models.consent import has_consent
    from napari_gmff.restoration.models.prompts import has_prompts

    store = user_store()
    facts = card.model_dump(mode="json")
    names = ("name", "title", "architecture", "license", "source", "citation", "notes")
    lines = {name: facts[name] for name in (*names, "sha256", "created")}
    lines["licence agreed to"] = "yes" if has_consent(card.name, store) else "no"
    if model_called(card.name, store).role == "base":
        lines["prompts embedded"] = "yes" if has_prompts(card.name, store) else "no"
    return lines


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


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _print_columns(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
