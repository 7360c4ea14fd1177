"""``run.json``: what a run was asked for and what it measured, for the one that goes on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from napari_gmff.engine_input import EngineInput  # noqa: TC001 - pydantic resolves it
from napari_gmff.errors import ResumeError
from napari_gmff.unfinished.journal import checksum, replace_file

SCHEMA_VERSION = 1

FILE_NAME = "run.json"

START_AGAIN = "without --resume (in Python resume=True) it starts from the beginning"
"""How to go on where the work cannot be continued."""


@dataclass(frozen=True)
class RunRecord:
    """All that must be known to go on with a run.

    Attributes
    ----------
    output : str
        Name of the output.
    identity : dict
        What decides the result; see `identity.identity_of`.
    parameters : dict
        All parameters of the run, JSON-ready.
    sources : list of str
        Paths that the stack was read from; empty where they are not known.
    n_windows : int
        Windows of all time points.
    inputs : list of EngineInput
        What was measured, one for each time point.
    files : dict of str to str
        Text of each metadata file of the store, by its path in there.
    """

    output: str
    identity: dict[str, Any]
    parameters: dict[str, Any]
    sources: list[str]
    n_windows: int
    inputs: list[EngineInput]
    files: dict[str, str] = field(default_factory=dict)


def save_record(folder: Path, record: RunRecord) -> None:
    """Write the record, whole or not at all.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    values = {**asdict(record), "schema_version": SCHEMA_VERSION}
    text = json.dumps(values, sort_keys=True)
    # The sum stands outside of what it is the sum of.
    data = json.dumps({"checksum": checksum(text.encode()), "run": values}, indent=1)
    replace_file(folder / FILE_NAME, data.encode())


def load_record(folder: Path, out: Path) -> RunRecord | None:
    """Read the record of unfinished work; None where there is none.

    Parameters
    ----------
    folder : Path
        Of the unfinished work.
    out : Path
        Its output, for the error.

    Raises
    ------
    ResumeError
        If the record is damaged or of another version of this program.
    """
    path = folder / FILE_NAME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        values = None
    run = values.get("run") if isinstance(values, dict) else None
    text = json.dumps(run, sort_keys=True)
    if not isinstance(run, dict) or values.get("checksum") != checksum(text.encode()):
        raise ResumeError(
            f"{out}: the unfinished work cannot be continued, {path} is damaged; {START_AGAIN}"
        )
    version = run.pop("schema_version", None)
    if version != SCHEMA_VERSION:
        raise ResumeError(
            f"{out}: the unfinished work cannot be continued, the schema version of {path} must "
            f"be {SCHEMA_VERSION}, got {version!r}; {START_AGAIN}"
        )
    return TypeAdapter(RunRecord).validate_python(run)
