"""One thread that draws while a learner goes on moving sliders: only the newest wish counts, nothing queues."""

import contextlib
import copy
import threading
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor

from diffusers import KolorsPipeline

from course_lib.sampling.step import Cancelled

Job = Callable[[KolorsPipeline, Callable[[], bool]], None]


class Worker:
    """Run the newest job on one thread: `job(pipe, stale)`; `stale()` tells a running job that a newer one waits."""

    def __init__(self, pipe: KolorsPipeline):
        self.pipe = share_weights(pipe)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="explorer")
        self._lock = threading.Lock()  # a notebook's callbacks may come from several threads
        self._newest = 0
        self._job: Future = Future()
        self._job.set_result(None)  # nothing to wait for yet

    def ask(self, job: Job) -> None:
        """Let a job run next; one that still waits is forgotten, and one that runs is told that it is stale."""
        with self._lock:
            self._newest += 1
            self._job.cancel()  # does nothing to a job that runs
            self._job = self._thread.submit(self._run, job, self._newest)

    def close(self) -> None:
        """Give up what runs, and let the thread end."""
        with self._lock:
            self._newest += 1
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _run(self, job: Job, number: int) -> None:
        with contextlib.suppress(Cancelled):  # a newer job waits
            job(self.pipe, lambda: number != self._newest)

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        return not self._job.done()

    def wait(self, seconds: float = 600.0) -> None:
        """Wait until the newest job has ended; TimeoutError if that takes too long."""
        job = self._job
        if not futures.wait([job], seconds).done:
            raise TimeoutError
        if not job.cancelled():  # a still newer one has taken its place
            job.result()  # raises what the job raised


def share_weights(pipe: KolorsPipeline) -> KolorsPipeline:
    """Return a pipeline with a scheduler and a UNet object of its own over the very same weights.

    Two threads can then draw at once, and a LoRA's strength set in one pipeline changes nothing in the other.
    """
    weights = [*pipe.unet.parameters(), *pipe.unet.buffers()]
    unet = copy.deepcopy(pipe.unet, {id(weight): weight for weight in weights})  # copies everything but these
    parts = {**pipe.components, "unet": unet, "scheduler": copy.deepcopy(pipe.scheduler)}
    return type(pipe)(**parts, force_zeros_for_empty_prompt=pipe.config.force_zeros_for_empty_prompt)
