import pytest
import torch

from napari_gmff.errors import OutputError, ParameterError, SourceError
from napari_gmff.training.config import TrainConfig
from napari_gmff.training.run_folder import CHECKPOINT, STEP_LOG, VALIDATION_LOG, RunFolder


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "deep" / "run")
    folder.begin(TrainConfig(steps=7))
    return folder


def test_a_run_keeps_the_config_it_was_begun_with(run):
    assert run.config() == TrainConfig(steps=7)


def test_a_run_does_not_begin_where_something_is(run, tmp_path):
    with pytest.raises(OutputError, match="already there"):
        run.begin(TrainConfig())
    file = tmp_path / "file"
    file.write_text("precious")
    with pytest.raises(OutputError, match="already there"):
        RunFolder(file).begin(TrainConfig())
    assert file.read_text() == "precious"


def test_a_folder_without_a_config_is_no_run(tmp_path):
    with pytest.raises(ParameterError, match="not a training run"):
        RunFolder(tmp_path).config()


def test_a_checkpoint_comes_back_whole_and_replaces_the_one_before(run):
    assert run.load_checkpoint() is None
    for step in (1, 2):
        run.save_checkpoint({"step": step, "network": {"w": torch.full((3,), float(step))}})
    loaded = run.load_checkpoint()
    assert loaded["step"] == 2
    assert loaded["network"]["w"].tolist() == [2.0] * 3
    assert [path.name for path in run.path.glob(".*")] == []


def test_a_damaged_checkpoint_is_an_error_that_names_it(run):
    (run.path / CHECKPOINT).write_bytes(b"not a checkpoint")
    with pytest.raises(SourceError, match=CHECKPOINT):
        run.load_checkpoint()


class Evil:
    def __reduce__(self):
        return (print, ("run as code",))


def test_a_checkpoint_is_never_run_as_code(run, capsys):
    torch.save({"step": Evil()}, run.path / CHECKPOINT)
    with pytest.raises(SourceError):
        run.load_checkpoint()
    assert "run as code" not in capsys.readouterr().out


def test_steps_that_will_be_done_again_are_forgotten(run):
    for log in (STEP_LOG, VALIDATION_LOG):
        run.append(log, [{"step": step, "loss": step / 10} for step in range(6)])
    run.forget_after(4)
    for log in (STEP_LOG, VALIDATION_LOG):
        assert [row["step"] for row in run.rows(log)] == ["0", "1", "2", "3"]
    run.append(STEP_LOG, [{"step": 4, "loss": 1.0}])
    assert run.rows(STEP_LOG)[-1] == {"step": "4", "loss": "1.0"}


def test_forgetting_everything_leaves_no_log(run):
    run.append(STEP_LOG, [{"step": 0, "loss": 1}])
    run.forget_after(0)
    assert run.rows(STEP_LOG) == []
    assert not (run.path / STEP_LOG).exists()
