"""Where a restoration stands, as it tells those who watch it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RestorationProgress:
    """Where a restoration stands.

    Attributes
    ----------
    stage : str
        "prepare", "restore", "back-project", "check" or "export", in this order; "back-project"
        and "check" once for each image, and only where the stack is at hand.
    done, total : int
        Steps of this stage, in "restore" of all images and seeds together. `total` may change
        once the model has said how many steps it takes.
    seed : int or None
        Of the noise, while one is at work.
    seed_number, n_seeds : int
        Which of the seeds that is, from 1.
    image_number, n_images : int
        Which of the images that is, from 1: each time point is one, or each channel of it.
    notes : tuple of str
        What came up in this step that the user should know.
    """

    stage: str
    done: int
    total: int
    seed: int | None = None
    seed_number: int = 0
    n_seeds: int = 1
    image_number: int = 0
    n_images: int = 1
    notes: tuple[str, ...] = ()
