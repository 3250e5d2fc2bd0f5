"""The command for a GPU, on the CPU: every row runs by the same code, and one that fails leaves the others alone."""

import importlib.util
import json

import pytest

from tests.gpu import __main__ as command
from tests.gpu import rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "ROWS", ())
        assert command.main(["--dry-run", "--folder", str(place)]) == 0  # writes the model
    return place


def test_every_row_is_drawn_or_trained(folder, capsys, monkeypatch):
    monkeypatch.setattr(rows, "STEPS", 2)
    monkeypatch.setattr(rows, "WARM_UP", 1)
    failed = command.main(["--dry-run", "--folder", str(folder)])
    said = capsys.readouterr().out.splitlines()
    lines = {row.name: line for row in rows.ROWS for line in said if line.startswith(row.name.ljust(command.WIDTH))}
    assert set(lines) == {row.name for row in rows.ROWS}
    needs = {row.name for row in rows.ROWS if row.unet in ("int8", "nf4") or row.optimizer == "adamw8bit"}
    told = {name for name, line in lines.items() if "LessonError" in line}
    assert told == (set() if importlib.util.find_spec("bitsandbytes") else needs) and failed == bool(told)
    for name in lines.keys() - told:
        planned, peak, _, seconds, share = map(float, lines[name].removeprefix(name).split())
        assert min(planned, peak, seconds) > 0 and share >= 0


def test_a_row_that_fails_says_why_and_the_next_one_runs(folder, capsys, monkeypatch):
    def fail(row, prints, device):
        raise RuntimeError("CUDA error: no kernel image\nmore")

    monkeypatch.setattr(command, "ROWS", rows.ROWS[:2])
    monkeypatch.setattr(command, "make_plan", fail)
    assert command.main(["--dry-run", "--folder", str(folder)]) == 1
    said = capsys.readouterr().out
    assert said.count("RuntimeError: CUDA error: no kernel image") == 2 and "0 of 2 rows" in said
    monkeypatch.setattr(command, "ENOUGH", -1)
    assert command.main(["--dry-run", "--folder", str(folder)]) == 1
    assert capsys.readouterr().out.count("the time is up") == 2


@pytest.mark.parametrize("row", rows.ROWS, ids=lambda row: row.name)
def test_a_row_is_run_as_its_name_says(folder, monkeypatch, row):
    """By what the training is told and the model is opened with; neither is done here."""
    asked = []
    monkeypatch.setattr(rows, "train", lambda pipe, pictures, config, **options: asked.append(config) or iter(()))
    monkeypatch.setattr(rows, "write_pictures", lambda place, size: place)
    one = rows.make_plan(row, json.loads((folder / "footprints.json").read_text(encoding="utf-8")), "cpu")
    assert (one.task, one.unet, one.vae_alone, one.checkpointing, one.optimizer, one.size) == (
        row.task, row.unet, row.alone, row.checkpointing, row.optimizer, rows.DRY_SIZES[row.size])
    if row.task == "lora":
        with pytest.raises(StopIteration):
            rows.train_row(None, row, one)
        config = asked[0]
        assert (config.use_gradient_checkpointing, config.optimizer, config.torch_compile, config.width) == (
            row.checkpointing, row.optimizer, row.compiled, one.size)
    words = {"VAE beside": row.task == "draw" and not row.alone, "checkpointing": row.checkpointing,
             "compiled": row.compiled, row.unet: True, row.optimizer: row.optimizer != "adamw"}
    assert all((word in row.name) == there for word, there in words.items())


def test_a_row_in_a_process_of_its_own(folder, monkeypatch):
    found = command.run_apart(folder, rows.ROWS[0], "cpu")
    assert found["peak"] > 0 and found["planned"] > 0
    broken = command.run_apart(folder / "nowhere", rows.ROWS[0], "cpu")
    assert "FileNotFoundError" in broken["error"]
    monkeypatch.setattr(command, "LIMIT", 0.1)
    assert "0.1 s" in command.run_apart(folder, rows.ROWS[0], "cpu")["error"]
    monkeypatch.setattr(command.sys, "executable", "false")
    monkeypatch.setattr(command, "LIMIT", 60)
    assert "ended with 1" in command.run_apart(folder, rows.ROWS[0], "cpu")["error"]


def test_without_a_gpu_nothing_is_measured(capsys, monkeypatch):
    monkeypatch.setattr(command.torch.cuda, "is_available", lambda: False)
    assert command.main([]) == 1 and "--dry-run" in capsys.readouterr().out
