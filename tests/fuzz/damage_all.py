"""Try many damaged files: ``python -m tests.fuzz.damage_all FORMAT|all --count N``.

Prints every finding once, with the seed that makes it again, and keeps its files.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.child import Child
from tests.fuzz.mutations import damaged
from tests.fuzz.seeds import WRITERS, seed, write_files


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("format", choices=[*WRITERS, "all"])
    parser.add_argument("--count", type=int, default=1000, help="damaged files of each format")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--findings", type=Path, help="folder for the files that broke a rule")
    args = parser.parse_args()
    seen: Counter[tuple[str, str]] = Counter()
    started = time.monotonic()
    formats = list(WRITERS) if args.format == "all" else [args.format]
    with Child() as child:
        for number in range(args.first, args.first + args.count):
            for format in formats:
                opened, files = seed(format)
                changed, done = damaged(files, number)
                found = child.try_files(opened, changed)
                if found is None:
                    continue
                seen[found.rule, found.place] += 1
                if seen[found.rule, found.place] == 1:
                    print(f"{format} {number} ({done}): {found.rule}: {found.place}")
                    print(found.detail, flush=True)
                    if args.findings is not None:
                        write_files(args.findings / f"{format}-{number}", changed)
        seconds = time.monotonic() - started
        print(f"{child.n_tried} sources tried in {seconds:.0f} s, {len(seen)} findings")
    for (rule, place), count in seen.most_common():
        print(f"{count:6d} {rule}: {place}")
    return 1 if seen else 0


if __name__ == "__main__":
    sys.exit(_main())
