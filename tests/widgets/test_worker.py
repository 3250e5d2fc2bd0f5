"""One worker thread: the newest job counts, the one that runs is told, and weights are shared."""

import threading

import pytest
from peft import LoraConfig

from course_lib.sampling.drawing import generate
from course_lib.sampling.settings import SamplerSettings
from course_lib.sampling.step import Cancelled
from course_lib.sampling.trials import Trial, draw_trial, list_loras
from course_lib.widgets.explorer import explore
from course_lib.widgets.worker import Worker, share_weights

LADYBIRD = "一只瓢虫，蓝色背景"
SECONDS = 120


@pytest.fixture
def with_lora():
    from course_lib.model.loading import load

    pipe = load("tiny")
    pipe.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_k"], init_lora_weights=False), "trial")
    return pipe


def test_a_running_job_is_told_and_one_that_waits_is_forgotten(pipe):
    worker, begun, told, done = Worker(pipe), threading.Event(), [], []

    def first(pipe, stale):
        told.append(stale())
        begun.set()
        while not stale():
            threading.Event().wait(0.01)
        told.append(stale())
        raise Cancelled

    worker.ask(first)
    assert begun.wait(SECONDS) and worker.busy
    worker.ask(lambda pipe, stale: done.append("second"))
    worker.ask(lambda pipe, stale: done.append("third"))
    worker.wait(SECONDS)
    assert told == [False, True]
    assert done[-1] == "third" and not worker.busy


def test_nothing_queues(pipe):
    worker, gate, done = Worker(pipe), threading.Event(), []
    worker.ask(lambda pipe, stale: gate.wait(SECONDS))
    for number in range(20):
        worker.ask(lambda pipe, stale, number=number: done.append(number))
    gate.set()
    worker.wait(SECONDS)
    assert done == [19]


def test_what_a_job_raises_reaches_who_waits_and_the_thread_lives_on(pipe):
    worker, done = Worker(pipe), []
    worker.ask(lambda pipe, stale: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        worker.wait(SECONDS)
    worker.ask(lambda pipe, stale: done.append(1))
    worker.wait(SECONDS)
    assert done == [1]


def test_waiting_has_an_end(pipe):
    worker, gate = Worker(pipe), threading.Event()
    worker.ask(lambda pipe, stale: gate.wait(SECONDS))
    with pytest.raises(TimeoutError):
        worker.wait(0.01)
    gate.set()


def test_a_pipeline_of_its_own_over_the_same_weights(pipe):
    own = share_weights(pipe)
    assert own.unet is not pipe.unet and own.scheduler is not pipe.scheduler
    assert all(mine is yours for mine, yours in zip(own.unet.parameters(), pipe.unet.parameters(), strict=True))
    settings = SamplerSettings(steps=2)
    assert generate(own, LADYBIRD, settings).image.tobytes() == generate(pipe, LADYBIRD, settings).image.tobytes()


def test_the_lora_dial_leaves_the_learners_pipeline_alone(with_lora):
    pipe, settings = with_lora, SamplerSettings(steps=2)
    before = generate(pipe, LADYBIRD, settings).image.tobytes()
    explorer = explore(pipe, LADYBIRD, settings=settings)
    assert list_loras(pipe) == ["trial"] and explorer.picture.image.tobytes() == before
    explorer.controls.dials["lora_strength"].slider.value = 0.0
    explorer.wait()
    without = explorer.picture.image.tobytes()
    assert without != before
    assert generate(pipe, LADYBIRD, settings).image.tobytes() == before
    assert draw_trial(share_weights(pipe), Trial(LADYBIRD, settings, lora_strength=0.0)).image.tobytes() == without
    names = {"pipe": share_weights(pipe)}
    *lines, last = explorer.code.code.rsplit("\n\n", 1)
    setup, call = last.split("generate(", 1)
    exec("\n".join(lines + [setup]), names)
    assert eval("generate(" + call, names).image.tobytes() == without
