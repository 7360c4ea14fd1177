"""The program `napari-gmff`: parses, runs, and turns errors into one line and exit code 2.

Subcommands import what they need when they run, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from napari_gmff.errors import GmffError

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


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
    """
    args = _parser().parse_args(argv)
    # A polite kill must clean up like Ctrl-C does.
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        code: int = args.handler(args)
        return code
    except GmffError as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        print("napari-gmff: interrupted, nothing was written", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; nothing is wrong. Keep Python from flushing again.
        sys.stdout = None  # type: ignore[assignment]
        return 0
    except MemoryError:
        return _complain("out of memory; try a smaller --block-px")
    except OSError as error:
        return _complain(f"{error.filename or 'system'}: {error.strerror or error}")
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _complain(message: str) -> int:
    one_line = " ".join(message.split())
    print(f"napari-gmff: {one_line}", file=sys.stderr)
    return EXIT_BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    from napari_gmff import __version__
    from napari_gmff.cli.demo import add_demo_parser
    from napari_gmff.cli.fuse import add_fuse_parser
    from napari_gmff.cli.methods import add_methods_parser
    from napari_gmff.cli.weights import add_weights_parser

    parser = _Parser(
        prog="napari-gmff",
        description="Fuse focus stacks into one sharp image that holds only measured pixels.",
    )
    parser.add_argument("--version", action="version", version=f"napari-gmff {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_fuse_parser(subparsers)
    add_demo_parser(subparsers)
    add_methods_parser(subparsers)
    add_weights_parser(subparsers)
    return parser
