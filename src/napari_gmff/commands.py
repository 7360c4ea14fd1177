"""A run as text to keep: a Python script and a shell command that repeat it exactly."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from napari_gmff.errors import ParameterError
from napari_gmff.params import FuseParams, ReadParams, validated

if TYPE_CHECKING:
    from pydantic import BaseModel

Source = str | Sequence[str]

PLACEHOLDER = "STACK.ome.tif"
"""Stands for a file where the pixels came from none."""

_LINE_LENGTH = 88


def as_python(
    source: Source | None,
    params: FuseParams,
    read_options: Mapping[str, Any] | None = None,
    *,
    output: str | None = None,
) -> str:
    """Write the script that repeats a run.

    Parameters
    ----------
    source : str, sequence of str, or None
        What `read_stack` was given: a path, pattern or list of paths. None for pixels that came
        from no file; the script then has a gap to fill in, with a comment that says so.
    params : FuseParams
        Of the run; the script names those that differ from their defaults.
    read_options : mapping, optional
        Keyword arguments of `read_stack` that were used.
    output : str, optional
        Folder that the script writes; the source's name with "fused" where left out.

    Returns
    -------
    str
        Lines ending in a newline, which use only the public names of `napari_gmff`.

    Raises
    ------
    ParameterError
        If `read_options` holds what `read_stack` does not take.
    """
    read = _changed(_read_params(read_options), ReadParams)
    opened = _call("napari_gmff.read_stack", ["source"], read, indent="")
    options = {**_changed(params, FuseParams), "output": output or _output_for(source)}
    fused = _call("napari_gmff.fuse", ["stack"], options, indent=" " * 4)
    return "\n".join(
        [
            "import napari_gmff",
            "",
            *_source_lines(source),
            "",
            f"with {opened} as stack:",
            f"    with {fused} as result:",
            '        print("fused into", result.store_path)',
            "",
        ]
    )


def as_command_line(
    source: Source | None,
    params: FuseParams,
    read_options: Mapping[str, Any] | None = None,
    *,
    output: str | None = None,
    for_windows: bool = os.name == "nt",
) -> str:
    """Write the shell command that repeats a run.

    Parameters
    ----------
    source, params, read_options, output
        As for `as_python`. For pixels that came from no file, a comment says what to put in.
    for_windows : bool
        Quote for the shells of Windows rather than for POSIX ones.

    Returns
    -------
    str
        One line, quoted for the shell; a line of comment before it where there is no file.

    Raises
    ------
    ParameterError
        If `read_options` holds what `read_stack` does not take.
    """
    changed = {
        **_changed(_read_params(read_options), ReadParams),
        **_changed(params, FuseParams),
    }
    words = ["napari-gmff", "fuse", *(_safe_path(path) for path in _paths(source))]
    words += ["--output", _safe_path(output or _output_for(source))]
    for name, value in changed.items():
        words += _flag(name, value)
    line = subprocess.list2cmdline(words) if for_windows else shlex.join(words)
    if source is not None:
        return line
    return (
        "# These pixels came from no file: save the stack, and put its path in place of "
        f"{PLACEHOLDER}.\n{line}"
    )


def _read_params(options: Mapping[str, Any] | None) -> ReadParams:
    return validated(ReadParams, dict(options or {}))


def _changed(params: BaseModel, model: type[BaseModel]) -> dict[str, Any]:
    """Return the values of the fields of `model` that differ from their defaults."""
    values = {name: getattr(params, name) for name in model.model_fields}
    return {
        name: value for name, value in values.items() if value != model.model_fields[name].default
    }


def _paths(source: Source | None) -> list[str]:
    if source is None:
        return [PLACEHOLDER]
    paths = [source] if isinstance(source, str) else [str(path) for path in source]
    if not paths:
        raise ParameterError("source: must name at least one file, got an empty list")
    return paths


def _output_for(source: Source | None) -> str:
    """Name the result after the source; it goes to the current folder."""
    paths = _paths(source)
    path = PurePath(paths[0])
    name = (path.parent.name if len(paths) > 1 else path.name) or "stack"
    for ending in (".companion.ome", ".ome.tiff", ".ome.tif", ".ome.btf", ".ome.zarr"):
        if name.lower().endswith(ending):
            return f"{name[: -len(ending)]}-fused.ome.zarr"
    stem = PurePath(name).stem.replace("*", "").replace("?", "")
    return f"{stem or 'stack'}-fused.ome.zarr"


def _source_lines(source: Source | None) -> list[str]:
    if source is None:
        return [
            "# These pixels came from no file: put a path here, or a numpy or dask array,",
            '# for which read_stack also needs the order of its axes, such as axes="ZYX".',
            f"source = {_literal(PLACEHOLDER)}",
        ]
    paths = _paths(source)
    if len(paths) == 1:
        return [f"source = {_literal(paths[0])}"]
    return ["source = [", *(f"    {_literal(path)}," for path in paths), "]"]


def _literal(value: Any) -> str:
    # The strings of JSON are strings of Python too, and come in double quotes.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _call(function: str, positional: list[str], options: Mapping[str, Any], indent: str) -> str:
    arguments = [*positional, *(f"{name}={_literal(value)}" for name, value in options.items())]
    line = f"{function}({', '.join(arguments)})"
    if len(f"{indent}with {line} as result:") <= _LINE_LENGTH:
        return line
    listed = "".join(f"{indent}    {argument},\n" for argument in arguments)
    return f"{function}(\n{listed}{indent})"


def _flag(name: str, value: Any) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    text = _flag_text(name, value)
    # A value that starts with a minus sign would be taken for a flag.
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]


def _flag_text(name: str, value: Any) -> str:
    """Write a value as its flag reads it."""
    if name == "voxel_size_um":
        return ",".join("" if size is None else repr(size) for size in value)
    if name == "region":
        return ",".join(_flag_text("bounds", bounds) for bounds in value)
    if isinstance(value, tuple):
        return ":".join(repr(bound) for bound in value)
    return str(value)


def _safe_path(path: str) -> str:
    return f"./{path}" if path.startswith("-") else path
