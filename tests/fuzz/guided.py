"""Coverage-guided fuzzing of the readers: ``python -m tests.fuzz.guided FORMAT|all --minutes N``.

Needs the dependency group ``fuzz`` (atheris). An input is one byte, which picks a file of the seed,
and what that file holds instead. Findings do not stop a run: each is kept once, with its traceback
and the smallest input that still shows it.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
import subprocess
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

COMMANDS_ONE_IN = 16
"""Of so many inputs one also goes through the command line; the others are opened and read."""

INSTRUMENTED = ["napari_gmff", "tifffile", "zarr", "liffile", "nd2"]
"""Packages whose branches lead the search."""

MOST_BYTES = 65536
MOST_TRIES = 400
"""Attempts to make a finding smaller."""


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("format", help="a format of tests/fuzz/seeds.py, or all")
    parser.add_argument("--minutes", type=float, default=10, help="in total, over all formats")
    parser.add_argument(
        "--folder", type=Path, default=Path("fuzz-work"), help="corpus and findings"
    )
    parser.add_argument("--worker", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker is not None:
        _work(args.format, args.folder, args.worker)
    from tests.fuzz.seeds import WRITERS

    formats = list(WRITERS) if args.format == "all" else [args.format]
    seconds = args.minutes * 60 / len(formats)
    for format in formats:
        _fuzz(format, args.folder / format, seconds)
    return 0


def _fuzz(format: str, folder: Path, seconds: float) -> None:
    """Run workers for one format until the time is over; one that dies is a finding."""
    from tests.fuzz.seeds import seed

    for name in ("corpus", "findings"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(seed(format)[1].values()):
        (folder / "corpus" / f"seed-{number}").write_bytes(bytes([number]) + content)
    n_inputs = n_covered = 0
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 1:
        command = [sys.executable, "-m", "tests.fuzz.guided", format]
        command += ["--folder", str(folder), "--worker", str(left_s)]
        with (folder / "log.txt").open("w") as log:
            try:
                code = subprocess.run(command, stderr=log, timeout=left_s + 240).returncode
            except subprocess.TimeoutExpired:
                code = None
        text = (folder / "log.txt").read_text(errors="replace")
        n_inputs += max((int(n) for n in re.findall(r"^#(\d+)", text, re.M)), default=0)
        n_covered = max([n_covered, *(int(n) for n in re.findall(r"cov: (\d+)", text))])
        if code != 0:
            _keep_crash(format, folder, "hang" if code is None else f"crash {code}")
            print(text[-2000:], flush=True)
    print(f"{format}: {n_inputs} inputs, {n_covered} edges covered", flush=True)
    _minimise_all(format, folder / "findings")


def _work(format: str, folder: Path, seconds: float) -> None:
    """Fuzz in this process, which then ends."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        for name in (*INSTRUMENTED[1:], "napari_gmff.reading.folders", "napari_gmff.cli.main"):
            if find_spec(name) is not None:
                import_module(name)

    import tempfile

    from tests.fuzz.child import warm_up
    from tests.fuzz.seeds import seed, write_files
    from tests.fuzz.try_source import limit_memory, try_source

    opened, files = seed(format)
    warm_up()
    limit_memory()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        source = Path(name)
        write_files(source, files)

        def one_input(data: bytes) -> None:
            changed = changed_file(format, data)
            if changed is None:
                return
            (folder / "current").write_bytes(data)
            (source / changed[0]).write_bytes(changed[1])
            has_commands = data[-1] % COMMANDS_ONE_IN == 0
            found = try_source(source / opened, commands=has_commands)
            write_files(source, {changed[0]: files[changed[0]]})
            if found is not None:
                _keep(folder / "findings", data, found.rule, found.place, found.detail)

        options = [f"-max_total_time={max(1, int(seconds))}", f"-max_len={MOST_BYTES}"]
        options += ["-handle_alrm=0", "-timeout=0", "-rss_limit_mb=0", "-print_final_stats=1"]
        options += [f"-artifact_prefix={folder}/", str(folder / "corpus")]
        atheris.Setup([sys.argv[0], *options], one_input, custom_mutator=_mutated)
        atheris.Fuzz()


def changed_file(format: str, data: bytes) -> tuple[str, bytes] | None:
    """Return the name of the file that an input changes, and what it then holds."""
    from tests.fuzz.seeds import seed

    names = list(seed(format)[1])
    return (names[data[0] % len(names)], data[1:]) if data else None


def _mutated(data: bytes, max_size: int, seed: int) -> bytes:
    """Change an input by knowing its structure half of the time."""
    import atheris

    from tests.fuzz.mutations import damaged

    if seed % 2 and len(data) > 1:
        changed, _ = damaged({"a": data[1:]}, seed)
        return (data[:1] + changed["a"])[:max_size]
    mutated: bytes = atheris.Mutate(data, max_size)
    return mutated


def _keep(folder: Path, data: bytes, rule: str, place: str, detail: str) -> None:
    """Keep an input that broke a rule in a new way."""
    name = re.sub(r"\W+", "-", f"{rule} {place}")[:120].strip("-")
    kept = folder / name
    if not kept.exists():
        kept.mkdir(parents=True)
        (kept / "input").write_bytes(data)
        (kept / "detail.txt").write_text(f"{rule}: {place}\n{detail}\n")


def _keep_crash(format: str, folder: Path, what: str) -> None:
    current = folder / "current"
    if current.exists():
        data = current.read_bytes()
        _keep(folder / "findings", data, what, hashlib.sha256(data).hexdigest()[:8], format)


def _minimise_all(format: str, findings: Path) -> None:
    from tests.fuzz.child import Child

    for kept in sorted(findings.iterdir()):
        if (kept / "input").exists() and not (kept / "smallest").exists():
            with Child() as child:
                smallest = _minimised(format, (kept / "input").read_bytes(), child)
            if smallest is None:
                (kept / "smallest").write_bytes((kept / "input").read_bytes())
                print(f"{format}: {kept.name}: does not happen again")
                continue
            (kept / "smallest").write_bytes(smallest)
            print(f"{format}: {kept.name}: {len(smallest)} bytes", flush=True)


def _minimised(format: str, data: bytes, child: object) -> bytes | None:
    """Return the smallest input with the same finding; None if it does not show it again."""
    from tests.fuzz.child import Child
    from tests.fuzz.seeds import seed

    assert isinstance(child, Child)
    opened, files = seed(format)

    def shown(tried: bytes) -> tuple[str, str] | None:
        changed = changed_file(format, tried)
        found = child.try_files(opened, files | dict([changed] if changed else []))
        return None if found is None else (found.rule, found.place)

    wanted = shown(data)
    if wanted is None:
        return None
    rng = random.Random(0)
    part = len(data) // 2
    n_tries = 0
    while part >= 1 and n_tries < MOST_TRIES:
        was, at = len(data), 1
        while at < len(data) and n_tries < MOST_TRIES:
            smaller = data[:at] + data[at + part :]
            n_tries += 1
            if shown(smaller) == wanted:
                data = smaller
            else:
                at += part
        part = part if len(data) < was and rng.random() < 0.5 else part // 2
    return data


if __name__ == "__main__":
    sys.exit(_main())
