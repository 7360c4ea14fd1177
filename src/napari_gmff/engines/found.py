"""Engines of other packages, found by their entry points and loaded only when asked for.

A package that is broken, or takes a name that is taken, is named where engines are listed. It never
keeps the program from working.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from napari_gmff.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Collection

GROUP = "napari_gmff.engines"
"""Entry points of this group are engines: ``name = "package.module:Class"``."""

_COMMON = ("name", "title", "method", "references", "notes")
_COMMON_METHODS = ("input_rule", "smoothing_rule", "n_steps", "work_ns", "describe")
_FOCUS = ("score_kind", "reach_px", "iter_scores")
_BLEND = ("iter_blend",)


@dataclass(frozen=True)
class FoundEngine:
    """An engine that another package offers.

    Attributes
    ----------
    name : str
        Of the entry point, and so what the parameter `engine` says.
    package : str
        Name and version of the package, such as ``"acme-focus 1.2"``.
    problem : str
        Why it cannot be used, known without loading it; empty where nothing stands against it.
    """

    name: str
    package: str
    problem: str
    _entry: EntryPoint

    def load(self) -> Any:
        """Import the engine's class and check that it is one.

        Raises
        ------
        ParameterError
            In one sentence, whatever is wrong with it.
        """
        if self.problem:
            raise ParameterError(f"engine: {self._who} {self.problem}")
        try:
            loaded = self._entry.load()
        # Whatever another package does while it is imported must not end the program.
        except (Exception, SystemExit) as error:
            why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise ParameterError(f"engine: {self._who} cannot be loaded ({why})") from error
        if problem := _problem_of(loaded, self.name):
            raise ParameterError(f"engine: {self._who} {problem}")
        return loaded

    @property
    def _who(self) -> str:
        return f"{self.name} of the package {self.package}"


def found_engines(taken: Collection[str]) -> list[FoundEngine]:
    """List the engines that installed packages offer, by name.

    Parameters
    ----------
    taken : collection of str
        Names that are this package's own; no other can take them.

    Returns
    -------
    list of FoundEngine
        Those with a problem too.
    """
    entries = _entries()
    counts = Counter(entry.name for entry in entries)
    found = []
    for entry in entries:
        problem = ""
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", entry.name):
            problem = "must have a name of the letters a-z, digits and hyphens"
        elif entry.name in taken:
            problem = "takes the name of an engine of napari-gmff, and is left out"
        elif counts[entry.name] > 1:
            # Neither: which of them ran must not depend on the order of installation.
            problem = "has the same name as that of another package, so neither is used"
        found.append(FoundEngine(entry.name, _package_of(entry), problem, entry))
    return sorted(found, key=lambda one: (one.name, one.package))


@cache
def _entries() -> tuple[EntryPoint, ...]:
    """Read once what is installed: it takes some ten milliseconds."""
    return tuple(entry_points(group=GROUP))


def _package_of(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "unknown"


def _problem_of(loaded: Any, name: str) -> str:
    if not isinstance(loaded, type):
        return f"must be a class, got {type(loaded).__name__}"
    kind = _BLEND if hasattr(loaded, "iter_blend") else _FOCUS
    missing = [word for word in (*_COMMON, *_COMMON_METHODS, *kind) if not hasattr(loaded, word)]
    if missing:
        return f"lacks {', '.join(missing)} (see FocusEngine in napari_gmff.engines.base)"
    given = getattr(loaded, "name", None)
    if given != name:
        return f"must have its entry point's name as name, got {given!r}"
    if kind is _BLEND and getattr(loaded, "preserves_pixels", True):
        return "computes pixels, so preserves_pixels must be False"
    return ""
