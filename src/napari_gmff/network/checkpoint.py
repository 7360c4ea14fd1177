"""The one table between our parameter names and those of the authors' checkpoint."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch

from napari_gmff.errors import WeightsError
from napari_gmff.network.stackmff_v4 import StackMFFV4

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

_BLOCK = {
    "conv1": "conv1.0",
    "norm1": "conv1.1",
    "conv2": "conv2.0",
    "norm2": "conv2.1",
    "act.conv": "act",
    "act.norm": "act.bn",
}
_EXCHANGE = {
    "norm1": "norm1",
    "norm2": "norm2",
    "qkv": "attn.in_proj",
    "out": "attn.out_proj",
    "feed1": "ffn.0",
    "feed2": "ffn.2",
}


def _residual(has_expand: bool, has_gate: bool) -> dict[str, str]:
    """Name the parts of one inverted residual, which the authors number in running order."""
    parts = ["expand"] * has_expand + ["depthwise"] + ["gate"] * has_gate + ["project"]
    names = {}
    for number, part in enumerate(parts):
        if part == "gate":
            names.update(
                {"gate.reduce": f"block.{number}.fc1", "gate.expand": f"block.{number}.fc2"}
            )
        else:
            names.update({f"{part}.conv": f"block.{number}.0", f"{part}.norm": f"block.{number}.1"})
    return names


def _nest(ours: str, theirs: str, names: Mapping[str, str]) -> dict[str, str]:
    return {f"{ours}.{a}": f"{theirs}.{b}" for a, b in names.items()}


def _module_table() -> dict[str, str]:
    """Our module path → the authors' module path, for every module that holds parameters."""
    ours, theirs = "backbone", "feature_extraction"
    table = {f"{ours}.stem": f"{theirs}.firstconv", f"{ours}.head": f"{theirs}.final.1"}
    residuals = {
        "encoder1": [(False, False), (True, False)],
        "encoder2": [(True, False), (True, True), (True, True)],
        "encoder3": [(True, True), (True, False), (True, False), (True, False)],
    }
    for encoder, rows in residuals.items():
        for number, row in enumerate(rows):
            place = f"{encoder}.{number}"
            table |= _nest(f"{ours}.{place}", f"{theirs}.{place}", _residual(*row))
    blocks = {f"down.{i}": f"stages.{i}" for i in range(3)}
    blocks |= {f"up.{i}": f"up_stages1.{i}" for i in range(3)}
    for number, name in enumerate(("to_eighth", "to_quarter", "to_half")):
        blocks[name] = f"up_stages2.{number}"
    blocks["to_full"] = "final.0"
    for a, b in blocks.items():
        table |= _nest(f"{ours}.{a}", f"{theirs}.{b}", _BLOCK)
    table |= _nest("refiner", "refinement_cycles.0.intra_refiner.refiner.0.0", _BLOCK)
    exchanges = {
        "exchange1": "refinement_cycles.0.inter_model",
        "exchange2": "layer_interaction.layer_interaction_depth",
    }
    for a, b in exchanges.items():
        for i in range(2):
            table |= _nest(f"{a}.transformer.{i}", f"{b}.layers.{i}", _EXCHANGE)
    return table


@cache
def _expected_shapes() -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):  # shapes only: random initial values would take longer than reading
        state = StackMFFV4().state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


@cache
def key_table() -> dict[str, str]:
    """Return our parameter name → the authors' parameter name, for all entries of the state.

    BatchNorm's ``num_batches_tracked`` counters are part of it.
    """
    modules = _module_table()
    table = {}
    for name in _expected_shapes():
        module, _, leaf = name.rpartition(".")
        joint = "_" if module.endswith(".qkv") else "."  # torch's attention: in_proj_weight
        table[name] = f"{modules[module]}{joint}{leaf}"
    return table


def ours_from_authors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a checkpoint in the authors' key layout to ours.

    Raises
    ------
    WeightsError
        Naming the keys that are missing, not expected, or of another shape.
    """
    table = key_table()
    _compare_keys(set(table.values()), set(state), "a StackMFF V4 checkpoint")
    renamed = {ours: state[theirs] for ours, theirs in table.items()}
    check_ours(renamed)
    return renamed


def authors_from_ours(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a state in our key layout to the authors'; the inverse of `ours_from_authors`."""
    return {theirs: state[ours] for ours, theirs in key_table().items()}


def is_ours(state: Mapping[str, Tensor]) -> bool:
    """Tell whether a state's keys are in our layout (it may still be incomplete)."""
    return any(name.startswith("backbone.") for name in state)


def check_ours(state: Mapping[str, Tensor]) -> None:
    """Check a state in our layout for completeness and shapes.

    Raises
    ------
    WeightsError
        Naming the keys that are missing, not expected, or of another shape.
    """
    expected = _expected_shapes()
    _compare_keys(set(expected), set(state), "a StackMFF V4 model")
    for name, shape in expected.items():
        if tuple(state[name].shape) != shape:
            raise WeightsError(
                f"not a StackMFF V4 model: {name} must have shape {shape}, "
                f"found {tuple(state[name].shape)}"
            )


def _compare_keys(expected: set[str], found: set[str], what: str) -> None:
    for problem, names in (("missing", expected - found), ("not expected", found - expected)):
        if names:
            listed = ", ".join(sorted(names)[:5])
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            raise WeightsError(f"not {what}: {problem} {listed}{more}")


def load_model(state: Mapping[str, Tensor]) -> StackMFFV4:
    """Build the network, in evaluation mode, from a state in our layout.

    Raises
    ------
    WeightsError
        As `check_ours`.
    """
    check_ours(state)
    with torch.device("meta"):
        model = StackMFFV4()
    model.load_state_dict(dict(state), assign=True)
    return model.eval()
