"""Each optimizer goes on from a checkpoint as if never stopped, keeps what the plan counts, says what it needs."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from course_lib.dataset.example_sets import write_style_set
from course_lib.machine import hardware
from course_lib.machine.stages import OPTIMIZERS
from course_lib.messages import LessonError
from course_lib.model.loading import load
from course_lib.training import run as running
from course_lib.training.checkpoint import STATE, Counters, read_state, write_state
from course_lib.training.config import TrainConfig, check_config, rate_factor
from course_lib.training.loop import train
from course_lib.training.optimizers import PACKAGES, build_optimizer, effective_rate, use_average

RATES = {"adamw": 1e-2, "adamw8bit": 1e-2, "prodigy": 1.0, "schedulefree": 1e-2}
ABOUT = {"settings": TrainConfig().to_json()}


def make(name, rows=8):
    """Return a LoRA's two matrices and their optimizer; of 64 rows they are large enough for bitsandbytes' 8 bits."""
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    torch.manual_seed(0)
    parameters = {"down": torch.nn.Parameter(torch.randn(rows, 64)), "up": torch.nn.Parameter(torch.zeros(64, rows))}
    config = TrainConfig(optimizer=name, learning_rate=RATES[name])
    return parameters, build_optimizer(list(parameters.values()), config), config


def step(parameters, optimizer, number):
    for place, weight in enumerate(parameters.values()):
        weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(10 * number + place))
    optimizer.step()


def keep(folder, parameters, optimizer, config):
    write_state(folder, parameters, optimizer, {}, Counters(step=3), {**ABOUT, "settings": config.to_json()})


def resume(folder, name, rows=8):
    parameters, optimizer, config = make(name, rows)
    counters, _ = read_state(folder, parameters, optimizer, config, {**ABOUT, "settings": config.to_json()})
    assert counters.step == 3
    return parameters, optimizer


@pytest.mark.parametrize("rows", [8, 64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_goes_on_as_if_it_had_not_stopped(tmp_path, name, rows):
    parameters, optimizer, config = make(name, rows)
    for number in range(3):
        step(parameters, optimizer, number)
    keep(tmp_path, parameters, optimizer, config)
    others, again = resume(tmp_path, name, rows)
    for number in range(3, 6):
        step(parameters, optimizer, number)
        step(others, again, number)
    assert effective_rate(again) == effective_rate(optimizer)
    assert all(torch.equal(parameters[key], others[key]) for key in parameters)
    assert not torch.equal(parameters["down"], make(name, rows)[0]["down"])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_keeps_the_bytes_that_the_plan_counts(name):
    parameters, optimizer, _ = make(name, rows=512)
    step(parameters, optimizer, 0)
    kept = {id(value): value for state in optimizer.state.values() for key, value in state.items()
            if isinstance(value, torch.Tensor) and not key.startswith("qmap")}  # of 8 bits: one table for all layers
    weights = sum(weight.numel() for weight in parameters.values())
    found = sum(value.numel() * value.element_size() for value in kept.values()) / weights
    expected = OPTIMIZERS[name] - (2 if name == "prodigy" else 0)  # the start of "up" is zero, and kept as one number
    assert found == pytest.approx(expected, rel=0.01)


def craft(folder, change):
    file = folder / STATE
    with safe_open(file, framework="pt") as kept:
        header, tensors = kept.metadata(), {name: kept.get_tensor(name) for name in kept.keys()}  # noqa: SIM118
    numbers = json.loads(header["optimizer"])
    change(tensors, numbers)
    file.unlink()
    save_file(tensors, file, {**header, "optimizer": json.dumps(numbers)})


@pytest.mark.parametrize("change", [
    lambda tensors, numbers: tensors.update({"exp_avg_sq.up": torch.full_like(tensors["exp_avg_sq.up"], torch.nan)}),
    lambda tensors, numbers: tensors.update({"exp_avg_sq.up": tensors["exp_avg_sq.up"][:1].clone()}),
    lambda tensors, numbers: tensors.update({"exp_avg_sq.up": tensors["exp_avg_sq.up"].double()}),
    lambda tensors, numbers: tensors.update({"more.up": torch.zeros(1)}),
    lambda tensors, numbers: tensors.pop("exp_avg_sq.down"),
    lambda tensors, numbers: numbers["group"].update(k="7"), lambda tensors, numbers: numbers["group"].update(k=-1),
    lambda tensors, numbers: numbers["group"].update(k=True), lambda tensors, numbers: numbers.pop("group"),
    lambda tensors, numbers: numbers["group"].update(d=float("inf")),
    lambda tensors, numbers: numbers["group"].update(params=1), lambda tensors, numbers: numbers["state"].clear(),
    lambda tensors, numbers: numbers.update(group=[1])])
def test_a_crafted_state_is_told(tmp_path, change):
    parameters, optimizer, config = make("prodigy")
    step(parameters, optimizer, 0)
    keep(tmp_path, parameters, optimizer, config)
    craft(tmp_path, change)
    with pytest.raises(LessonError, match=STATE):
        resume(tmp_path, "prodigy")


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_that_is_missing_is_named(monkeypatch, name):
    monkeypatch.setattr(hardware, "find_version", lambda package: None)
    with pytest.raises(LessonError, match=PACKAGES[name]):
        build_optimizer([torch.nn.Parameter(torch.zeros(1))], TrainConfig(optimizer=name))


def test_prodigy_finds_its_step_and_refuses_a_rate_that_stops_it():
    parameters, optimizer, config = make("prodigy")
    check_config(config)
    before = effective_rate(optimizer)
    for _ in range(60):
        step(parameters, optimizer, 0)  # always the same way: it can go faster
    assert effective_rate(optimizer) > 10 * before
    with pytest.raises(LessonError, match="1.0"):
        check_config(TrainConfig(optimizer="prodigy"))


def test_schedule_free_draws_and_saves_its_average():
    parameters, optimizer, config = make("schedulefree")
    for number in range(5):
        step(parameters, optimizer, number)
    trained = parameters["down"].detach().clone()
    use_average(optimizer, True)
    assert not torch.allclose(parameters["down"], trained)
    use_average(optimizer, False)
    assert torch.allclose(parameters["down"], trained, atol=1e-6)
    assert [rate_factor(config, number) for number in (10, 400, 499)] == [1, 1, 1]
    plain = make("adamw")[1]
    use_average(plain, True)  # has none


def test_a_run_looks_at_the_average_and_saves_it(tmp_path, monkeypatch):
    pytest.importorskip("schedulefree")
    built, seen = [], []

    def note(what):
        seen.append((what, built[0].param_groups[0]["train_mode"]))

    def keep_built(*given):
        built.append(build_optimizer(*given))
        return built[0]

    def noted(loss):
        return lambda *given: note("loss") or loss(*given)

    monkeypatch.setattr(running, "build_optimizer", keep_built)
    monkeypatch.setattr(running, "noise_loss", noted(running.noise_loss))  # of the pictures held back
    monkeypatch.setattr(running, "save_lora", lambda *given, **options: note("file"))
    folder = write_style_set(tmp_path / "set", subjects=2, validation=1, seed=3)
    config = TrainConfig(lora_rank=2, lora_alpha=2.0, batch_size=1, steps_per_epoch=2, optimizer="schedulefree",
                         validation_every=1, validation_levels=1)
    steps = train(load("tiny"), folder, config, output_path=tmp_path / "out", cache=None, say=str)
    modes = [built[0].param_groups[0]["train_mode"] for _ in steps]
    assert set(seen) == {("loss", False), ("file", False)} and modes[0]
