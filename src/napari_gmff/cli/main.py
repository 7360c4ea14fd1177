"""The program `napari-gmff`: parses, runs, and turns errors into one line and exit code 2.

Subcommands import what they need when they run, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from napari_gmff.errors import GmffError

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

_CLEANING_S = 3.0
"""Time after Ctrl-C in which a second one is ignored, so that it cannot stop the cleaning up."""

_LOGGING_LIBRARIES = ("asyncio", "imagecodecs", "tifffile")
_NOWHERE = logging.NullHandler()


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line, as every other error."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_BAD_INPUT, f"napari-gmff: {message}; see '{self.prog} --help'\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        0; 2 for bad input, with one line on stderr; 130 when interrupted.

    Raises
    ------
    SystemExit
        By the parser: 0 for ``--help`` and ``--version``, 2 for wrong arguments.
    """
    try:
        with _interrupts(), _warnings_in_one_line():
            code = _run(sys.argv[1:] if argv is None else argv)
            sys.stdout.flush()
            return code
    except GmffError as error:
        return _complain(_with_notes(str(error), error))
    except KeyboardInterrupt as error:
        text = "interrupted" if _notes(error) else "interrupted, nothing half-written is left"
        print(f"napari-gmff: {_with_notes(text, error)}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; nothing is wrong. What is still in Python's buffer
        # must go somewhere when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError as error:
        text = "out of memory; try a smaller --block-px or fewer slices (--z-range)"
        return _complain(_with_notes(text, error))
    except OSError as error:
        text = f"{error.filename or 'system'}: {error.strerror or error}"
        return _complain(_with_notes(text, error))


def _run(argv: Sequence[str]) -> int:
    from napari_gmff.cli.parameter_flags import with_negative_values

    args = _parser().parse_args(with_negative_values(argv))
    code: int = args.handler(args)
    return code


@contextmanager
def _interrupts() -> Iterator[None]:
    """Let Ctrl-C and a polite kill (SIGTERM) end the block alike, by `KeyboardInterrupt`."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    last_s = -_CLEANING_S

    def interrupt(*_: object) -> None:
        nonlocal last_s
        before_s, last_s = last_s, time.monotonic()
        if last_s - before_s >= _CLEANING_S:
            raise KeyboardInterrupt

    previous: dict[signal.Signals, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        # A program started with nohup or in the background may have been told to ignore it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            previous[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _notes(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


def _with_notes(text: str, error: BaseException) -> str:
    """Add what is kept of the work, where a subcommand noted it on the error."""
    return "; ".join([text, *_notes(error)])


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Print what libraries warn of as our own warnings, and leave out what they log.

    What is damaged is an error that is said once; libraries would log it besides.
    """
    for library in _LOGGING_LIBRARIES:
        logging.getLogger(library).addHandler(_NOWHERE)
    before = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: (
        f"napari-gmff: warning: {' '.join(str(message).split())}\n"
    )
    try:
        yield
    finally:
        warnings.formatwarning = before


def _complain(message: str) -> int:
    one_line = " ".join(message.split())
    print(f"napari-gmff: {one_line}", file=sys.stderr)
    return EXIT_BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    from napari_gmff import __version__
    from napari_gmff.cli.demo import add_demo_parser
    from napari_gmff.cli.engines import add_engines_parser
    from napari_gmff.cli.evaluate import add_evaluate_parser
    from napari_gmff.cli.fuse import add_fuse_parser
    from napari_gmff.cli.info import add_info_parser
    from napari_gmff.cli.methods import add_methods_parser
    from napari_gmff.cli.restore import add_restore_parser
    from napari_gmff.cli.train import add_train_parser
    from napari_gmff.cli.weights import add_weights_parser

    parser = _Parser(
        prog="napari-gmff",
        description="Fuse focus stacks into one sharp image that holds only measured pixels.",
    )
    parser.add_argument("--version", action="version", version=f"napari-gmff {__version__}")
    subparsers: Any = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_fuse_parser(subparsers)
    add_info_parser(subparsers)
    add_demo_parser(subparsers)
    add_evaluate_parser(subparsers)
    add_engines_parser(subparsers)
    add_methods_parser(subparsers)
    add_restore_parser(subparsers)
    add_weights_parser(subparsers)
    add_train_parser(subparsers)
    return parser
