"""The model card as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from napari_gmff.weights.architectures import ARCHITECTURES

if TYPE_CHECKING:
    from napari_gmff.weights.card import ModelCard
    from napari_gmff.weights.training_facts import DataSource, EvaluationRow, TrainingFacts

_SMOOTHING = {
    "auto-noise": "smoothed where the estimated noise asks for it",
    "none": "never smoothed",
}
_RANGE = {
    "dtype": "the whole range of the pixel type",
    "percentiles": "robust percentiles of the stack",
}


def card_markdown(card: ModelCard) -> str:
    """Render a card as Markdown, complete with how the weights were trained, if it says so.

    Parameters
    ----------
    card : ModelCard
        Of a model folder.

    Returns
    -------
    str
        Ends with a newline.
    """
    return "\n\n".join(_sections(card)) + "\n"


def _sections(card: ModelCard) -> Iterator[str]:
    yield f"# {_plain(card.title or card.name)}"
    if card.notes:
        yield _plain(card.notes)
    yield _table(("", ""), [(name, value) for name, value in _facts(card) if value])
    if card.training is not None:
        yield from _training_sections(card.training)
    if card.citation:
        yield f"## Cite\n\n{_plain(card.citation)}"


def _facts(card: ModelCard) -> list[tuple[str, str]]:
    rule = card.input_range
    seen = (
        _RANGE[rule.eight_bit]
        if rule.eight_bit == rule.other
        else f"{_RANGE[rule.eight_bit]} (8 bit), {_RANGE[rule.other]} (other pixel types)"
    )
    facts = [
        ("name", f"`{card.name}`"),
        ("version", card.version),
        ("network", f"`{card.architecture}`"),
        ("licence", card.license),
        ("from", card.source),
        ("made", card.created.date().isoformat()),
        ("sha256", f"`{card.sha256}`"),
    ]
    if card.architecture not in ARCHITECTURES:  # not for fusing, so what follows means nothing
        return facts
    return [
        *facts,
        ("intensities seen as 0 and 1", seen),
        ("what the network sees is", _SMOOTHING[card.input_smoothing]),
        ("logits are divided by", f"{card.temperature:g}"),
        ("neighbours vote below", f"{card.neighbours_vote_below:g}"),
    ]


def _training_sections(training: TrainingFacts) -> Iterator[str]:
    facts = [
        ("configuration", training.config),
        ("its sha256", training.config_sha256 and f"`{training.config_sha256}`"),
        ("started from", training.started_from or "random values"),
        ("steps", f"{training.steps:,}"),
        ("time", f"{training.hours:.3g} h"),
        ("machine", training.machine),
        ("seed", None if training.seed is None else str(training.seed)),
    ]
    yield "## Training"
    yield _table(("", ""), [(name, value) for name, value in facts if value])
    if training.synthesis:
        yield _plain(training.synthesis)
    if training.data:
        yield "## Data"
        yield _table(
            ("source", "images", "licence", "notes"), [_data(one) for one in training.data]
        )
    if training.evaluation:
        yield "## Evaluation"
        yield _evaluation(training.evaluation)
    if training.evaluation_notes:
        yield _plain(training.evaluation_notes)
    if training.limits:
        yield "## Known limits"
        yield "\n".join(f"- {_plain(limit)}" for limit in training.limits)


def _data(source: DataSource) -> tuple[str, str, str, str]:
    name = f"{source.name} ({source.source})" if source.source else source.name
    images = "made by a program" if source.n_images is None else str(source.n_images)
    return name, images, source.license, source.notes


def _evaluation(rows: Sequence[EvaluationRow]) -> str:
    """Make one table of all measures; a row may lack some of them."""
    measures = list(dict.fromkeys(measure for row in rows for measure in row.scores))
    counted = any(row.n_scenes is not None for row in rows)
    header = ["scenes", *(["number"] if counted else []), *measures]
    body = []
    for row in rows:
        number = ["" if row.n_scenes is None else str(row.n_scenes)] if counted else []
        scores = [f"{row.scores[name]:.4g}" if name in row.scores else "" for name in measures]
        body.append([row.scenes, *number, *scores])
    return _table(header, body)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    # Cards come from others, and Markdown may be shown as a page: nothing may act as HTML.
    return text.replace("<", "&lt;")
