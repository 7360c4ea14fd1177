"""Progress in bytes, for files that are fetched or read."""

from __future__ import annotations

import sys
from typing import Any, Self


class ByteBar:
    """A progress bar that appears with the first byte, and starts over when the work does."""

    def __init__(self, name: str, *, quiet: bool) -> None:
        self._name = name
        self._quiet = quiet
        self._bar: Any = None

    def update(self, done: int, total: int | None) -> None:
        """Show the bytes done, of all or of an unknown number."""
        if self._quiet:
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                desc=self._name, initial=done, unit="B", unit_scale=True, file=sys.stderr
            )
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
