"""Two threads on one pipeline: each gets the picture it asked for."""

import threading

from course_lib.model.alone import alone
from course_lib.sampling.drawing import draw, generate
from course_lib.sampling.settings import SamplerSettings


def run_both(*works):
    """Run functions at once, twice each; return their results, a list for each."""
    found = [[] for _ in works]
    threads = [threading.Thread(target=lambda place=place, work=work: found[place].extend(work() for _ in range(2)))
               for place, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return found


def test_two_threads_get_their_own_pictures(pipe):
    works = [lambda: draw(pipe, "一只猫", seed=1, steps=3).image.tobytes(),
             lambda: draw(pipe, "一只猫", seed=2, steps=5, cfg=7.0).image.tobytes(),
             lambda: generate(pipe, "一只猫", SamplerSettings(seed=3, steps=4)).image.tobytes()]
    alone_first = [work() for work in works]
    assert run_both(*works) == [[picture] * 2 for picture in alone_first]


def test_another_thread_waits_and_the_same_one_does_not(pipe):
    inside = []
    with alone(pipe), alone(pipe):
        other = threading.Thread(target=lambda: enter(pipe, inside), daemon=True)
        other.start()
        other.join(0.2)
        assert not inside
    other.join(10)
    assert inside


def enter(pipe, inside):
    """Go in and out."""
    with alone(pipe):
        inside.append(1)
