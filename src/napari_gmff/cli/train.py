"""`napari-gmff train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

SMOKE_CONFIG = "smoke"


def add_train_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "train",
        help="train StackMFF V4 on synthetic stacks, from scratch or for your own microscope",
        description="Train StackMFF V4 on synthetic stacks with known truth, made from sharp "
        "images while training goes on. Writes a folder with config, logs, curves, a checkpoint "
        "to continue from, and the model. See docs/training.md.",
    )
    parser.add_argument(
        "config", nargs="?", metavar="CONFIG", help="name of a shipped config, or a YAML file"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="RUN", help="folder of a new run")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="continue a run that stopped")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder that the config's image folders are relative to [working folder]",
    )
    parser.add_argument(
        "--images",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="learn from these folders of sharp images instead of the config's",
    )
    parser.add_argument(
        "--stacks",
        nargs="+",
        default=[],
        metavar="SOURCE",
        help="learn from the fused images of these focus stacks as well",
    )
    parser.add_argument(
        "--init-from", metavar="NAME|FILE", help="start from a model instead of from scratch"
    )
    parser.add_argument("--name", help="name of the resulting model in the model store")
    parser.add_argument("--steps", type=int, metavar="N", help="steps instead of the config's")
    parser.add_argument("--seed", type=int, metavar="N", help="seed instead of the config's")
    parser.add_argument("--device", default="auto", help="auto, cpu, mps, cuda or cuda:N [auto]")
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes that make stacks [1]"
    )
    parser.add_argument(
        "--threads", type=int, metavar="N", help="threads of the training itself on a processor"
    )
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="run everything end to end in under a minute; the model is of no use",
    )
    parser.set_defaults(handler=_train)


def _train(args: argparse.Namespace) -> int:
    from napari_gmff.training.runs import continue_run, new_run

    _check_counts(args)
    how = {
        "device": args.device,
        "n_workers": args.workers,
        "threads": args.threads,
        "report": _say,
    }
    if args.resume is not None:
        _refuse_changes(args)
        model = continue_run(args.resume, **how)
    else:
        model = new_run(_new_config(args), args.output, args.stacks, **how)
    _say(f"model: {model}")
    _say(f"use it: napari-gmff fuse SOURCE -o OUT --weights {model}")
    _say(f"keep it: napari-gmff weights import {model}")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def _new_config(args: argparse.Namespace) -> Any:
    from napari_gmff.errors import ParameterError
    from napari_gmff.training.config import load_config

    if args.smoke and args.config is None:
        args.config = SMOKE_CONFIG
    if args.config is None:
        raise ParameterError("train: needs a CONFIG, --smoke or --resume RUN")
    if args.output is None:
        raise ParameterError("train: needs --output RUN, the folder of the new run")
    config = load_config(
        args.config,
        steps=args.steps,
        seed=args.seed,
        init_from=args.init_from,
        data_folder=str((args.data or Path()).absolute()),
    )
    if args.images:
        config = config.learning_from(args.images)
    return config if args.name is None else config.named(args.name)


def _check_counts(args: argparse.Namespace) -> None:
    from napari_gmff.errors import ParameterError

    for name, least in (("workers", 0), ("threads", 1)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise ParameterError(f"{name}: must be {least} or more, got {value}")


def _refuse_changes(args: argparse.Namespace) -> None:
    """Complain of options that would change a run that goes on."""
    from napari_gmff.errors import ParameterError

    names = ("config", "output", "data", "images", "stacks", "init_from", "name", "steps", "seed")
    given = [name.replace("_", "-") for name in names if getattr(args, name)]
    if given or args.smoke:
        raise ParameterError(
            f"--resume: the run goes on as it began; leave out {', '.join(given or ['smoke'])}"
        )
