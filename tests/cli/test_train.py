import re

import pytest

from napari_gmff.cli.main import main


def test_the_smoke_run_trains_and_says_how_to_use_the_model(tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["train", "--smoke", "-o", str(run), "--workers", "0", "--threads", "1"]) == 0
    said = capsys.readouterr().out
    assert f"--weights {run / 'model'}" in said
    for name in ("config.yaml", "steps.csv", "validation.csv", "checkpoint.pt", "model/card.json"):
        assert (run / name).exists()
    steps = (run / "steps.csv").read_text().splitlines()[1:]
    assert len(steps) == 6
    assert main(["train", "--resume", str(run), "--workers", "0"]) == 0
    assert (run / "steps.csv").read_text().splitlines()[1:] == steps


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "run"], "needs a CONFIG, --smoke or --resume"),
        (["smoke"], "needs --output RUN"),
        (["nonsense", "-o", "run"], "nonsense: config cannot be read"),
        (["smoke", "-o", "run", "--steps", "0"], "steps"),
        (["smoke", "-o", "run", "--images", "nowhere"], "nowhere"),
        (["smoke", "-o", "run", "--name", "../up"], "model name"),
        (["smoke", "-o", "run", "--workers", "-1"], "workers: must be 0 or more, got -1"),
        (["smoke", "-o", "run", "--threads", "0"], "threads: must be 1 or more, got 0"),
        (["--resume", "run", "--steps", "9"], "leave out steps"),
        (["--resume", "run"], "not a training run"),
        (["smoke", "-o", "run", "--init-from", "no-model"], "no-model"),
        (["smoke", "-o", "run", "--device", "cuda:77"], "cuda:77 is not available"),
    ],
)
def test_bad_arguments_end_in_one_line_and_write_nothing(
    tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert re.fullmatch(r"napari-gmff: [^\n]+\n", said)
    assert list(tmp_path.iterdir()) == []
