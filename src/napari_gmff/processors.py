"""How many processors there are, and how many a run beside a window should use."""

from __future__ import annotations

import os


def n_processors() -> int:
    """Count the processors that this process may use, which may be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def threads_for_window() -> int:
    """Return the threads for a run that leaves one processor to a window, at least 1."""
    return max(1, n_processors() - 1)
