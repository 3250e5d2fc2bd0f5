"""One thread at a time on one UNet: a LoRA, a scheduler or a strength that one sets there is no other's."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from weakref import WeakKeyDictionary

from diffusers import KolorsPipeline

_locks: WeakKeyDictionary = WeakKeyDictionary()
_making = threading.Lock()


@contextmanager
def alone(pipe: KolorsPipeline) -> Iterator[None]:
    """Wait until no other thread draws with a pipeline's UNet, and keep others out; the same thread may enter again."""
    with _making:
        lock = _locks.setdefault(pipe.unet, threading.RLock())
    with lock:
        yield


def one_at_a_time(draw: Callable) -> Callable:
    """Have a function whose first argument is a pipeline run `alone`."""
    @wraps(draw)
    def wait_and_draw(pipe: KolorsPipeline, *values: object, **options: object) -> object:
        with alone(pipe):
            return draw(pipe, *values, **options)

    return wait_and_draw
