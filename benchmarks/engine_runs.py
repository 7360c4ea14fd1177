"""The engines that several scripts compare."""

from __future__ import annotations

from typing import Any

from napari_gmff.weights.shipped_models import has_shipped


def engine_runs(weights: str | None) -> dict[str, dict[str, Any]]:
    """Return the parameters of each engine, by its name.

    The network runs with the weights given, else with those of the package where it has them.
    """
    runs: dict[str, dict[str, Any]] = {"laplacian-energy": {"engine": "laplacian-energy"}}
    if weights is not None:
        runs["stackmff-v4"] = {"engine": "stackmff-v4", "weights": weights}
    elif has_shipped():
        runs["stackmff-v4"] = {"engine": "stackmff-v4"}
    return runs
