"""A process that tries one source after the other: what kills or hangs it kills no test.

The parent writes one line of JSON for each source, and gets one line back.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.fuzz.seeds import Files, seed, write_files
from tests.fuzz.try_source import TIME_LIMIT_S, Finding, empty, limit_memory, try_source

STARTING_S = 120
"""Time for a process to import everything, on a busy machine."""


class Child:
    """Tries sources in a process of its own, with limits of time and memory.

    Use it in a ``with`` block. A process that dies is replaced by a fresh one.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-")
        self.n_tried = 0

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._folder.cleanup()

    def try_files(self, opened: str, files: Files, *, commands: bool = True) -> Finding | None:
        """Write a source into an empty folder, and try it.

        Parameters
        ----------
        opened : str
            Which of the files, or which folder, is opened.
        files : dict of str to bytes
            The source.
        commands : bool
            Also try the commands.
        """
        folder = Path(self._folder.name) / "source"
        folder.mkdir(exist_ok=True)
        empty(folder)
        write_files(folder, files)
        self.n_tried += 1
        return self._ask({"source": str(folder / opened), "commands": commands})

    def _ask(self, question: dict[str, Any]) -> Finding | None:
        process = self._process or self._start()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            answer = self._line(2 * TIME_LIMIT_S)
        except BrokenPipeError:
            answer = None
        if answer is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
            ended = process.poll()
            self._stop()
            if ended is None:
                return Finding("hang", "in a library", f"no answer in {2 * TIME_LIMIT_S} s")
            return Finding("crash", f"signal {-ended}", f"the process ended with {ended}")
        found = json.loads(answer)
        return None if found is None else Finding(**found)

    def _start(self) -> subprocess.Popen[str]:
        environment = os.environ | {"TMPDIR": self._folder.name}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=environment,
        )
        if self._line(STARTING_S) is None:
            raise RuntimeError("the process that tries sources does not start")
        return self._process

    def _line(self, seconds: float) -> str | None:
        assert self._process is not None and self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], seconds)
        line = self._process.stdout.readline() if ready else ""
        return line or None

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    with suppress(BrokenPipeError):
                        stream.close()
            self._process = None


def warm_up() -> None:
    """Load everything and start all threads before the limit of memory is set."""
    for format in ("ome-tiff", "zarr-0.5"):
        opened, files = seed(format)
        with tempfile.TemporaryDirectory() as name:
            write_files(Path(name), files)
            found = try_source(Path(name) / opened)
        if found is not None:
            raise RuntimeError(f"a healthy source fails: {found}")


def _serve() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    warm_up()
    limit_memory()
    answers.write("ready\n")
    for line in sys.stdin:
        question = json.loads(line)
        found = try_source(Path(question["source"]), commands=question["commands"])
        answers.write(json.dumps(None if found is None else asdict(found)) + "\n")


if __name__ == "__main__":
    _serve()
