"""A training as one sees it: progress and curve that grow in a notebook, lines on a command line, a picture at the end.

The stop button is answered while the cell runs where the notebook has subshells (JupyterLab 4.4 and ipykernel 7 or
later); everywhere else the notebook's own interrupt does the same.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import ipywidgets as widgets
from IPython import get_ipython
from IPython.display import display
from matplotlib.ticker import MaxNLocator
from PIL import Image

from course_lib.machine.hardware import GIB
from course_lib.messages import text
from course_lib.pictures.figures import (
    BLUE,
    GREY,
    LETTER,
    ORANGE,
    WIDTH,
    add_axes,
    new_figure,
    paste,
    points,
    render,
    write,
)
from course_lib.pictures.picture import Picture, encode_png
from course_lib.training.report import StepRecord
from course_lib.widgets.style import STYLE, say

LINES = 10  # printed in a training, beside those of a validation
LINE_SECONDS = 30.0  # after which one is printed anyway
SMOOTH = 0.9  # of the curve: the share of the old value in the new one
REDRAW = 20  # times as long as a curve takes to draw is waited before the next: 5 % of the time at most
CURVE_HEIGHT = 190  # px
MOST_COLUMNS = 6  # of sample pictures


class PlainView:
    """Print a line now and then."""

    stop_asked = False

    def __init__(self, print_line: Callable[[str], None] = print) -> None:
        self.print_line, self.last = print_line, time.perf_counter()

    def show(self, records: Sequence[StepRecord]) -> None:
        """Print the newest record if it is time to."""
        newest = records[-1]
        due = newest.step % max(newest.steps // LINES, 1) == 0 or time.perf_counter() - self.last > LINE_SECONDS
        if due or newest.stopped or newest.validation_loss is not None:
            self.print_line("  ".join([*describe_step(records), describe_memory(newest)]))
            self.last = time.perf_counter()

    def end(self, records: Sequence[StepRecord]) -> None:
        """Do nothing: every line is out."""


class QuietView(PlainView):
    """Show nothing: one process of several, or a training among many."""

    def __init__(self) -> None:
        super().__init__(lambda line: None)


class LiveView(widgets.VBox):
    """Progress, curve, sample pictures and a stop button, in the output of the cell that trains."""

    def __init__(self) -> None:
        super().__init__()
        self.stop_asked, self.redrawn, self.pause = False, 0.0, 0.0
        self.bar = widgets.IntProgress(layout={"width": "100%"})
        self.words, self.curve, self.pictures = widgets.HTML(), widgets.Image(format="png"), widgets.HBox()
        self.curve.add_class("kolors-figure")
        self.stop = widgets.Button(description=text("train_stop"), icon="stop")
        self.stop.on_click(lambda button: self.ask_stop())
        # ipykernel sends a click to where the button last spoke from: this cell, which is busy. Forgetting that leaves
        # it to the page, which sends it to a subshell. No public call does.
        vars(self.stop.comm).pop("_reply_subshell_id", None)
        self.hint = widgets.HTML(say(text("train_stop_hint"), "quiet"))
        row = widgets.Box([self.stop, self.hint]).add_class("kolors-row")
        self.children = [widgets.HTML(STYLE), self.bar, self.words, self.curve, self.pictures, row]
        self.add_class("kolors-explorer")
        display(self)

    def ask_stop(self) -> None:
        """End the training after the step that runs."""
        self.stop_asked, self.stop.disabled = True, True
        self.hint.value = say(text("train_stopping"), "quiet")

    def show(self, records: Sequence[StepRecord]) -> None:
        """Show the newest record; the curve only as often as it costs little."""
        newest, now = records[-1], time.perf_counter()
        self.bar.max, self.bar.value = newest.steps, newest.step
        self.words.value = say("  ".join([*describe_step(records), describe_memory(newest)]))
        if newest.samples:
            self.pictures.children = [show_sample(picture) for picture in newest.samples]
        if now - self.redrawn >= self.pause:
            self.curve.value = encode_png(draw_curve(records))
            self.redrawn = time.perf_counter()
            self.pause = max(0.5, REDRAW * (self.redrawn - now))

    def end(self, records: Sequence[StepRecord]) -> None:
        """Leave the whole training as one picture with its text, which a notebook shows without a kernel too."""
        self.close()
        if records:
            display(Picture(draw_training(records), "  ".join(describe_end(records))))

    def _repr_mimebundle_(self, **formats: object) -> dict[str, object]:
        """Return the widget; its text is always the same, so that a stored notebook does not change by itself."""
        return {**super()._repr_mimebundle_(**formats), "text/plain": text("train_help")}


def open_view(first: bool = True) -> PlainView | LiveView:
    """Return the view that suits: widgets in a notebook, lines elsewhere, nothing in other processes than the first."""
    if not first:
        return QuietView()
    return LiveView() if hasattr(get_ipython(), "kernel") else PlainView()


@contextmanager
def interrupts(begun: Callable[[], bool] = lambda: True) -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether Ctrl+C, a notebook's interrupt, SIGTERM or SIGHUP has come in the block.

    SIGTERM is a cluster's, SIGHUP that of a closed terminal, sent by the system and by its shell. A second Ctrl+C, or
    anything before what is done has `begun`, interrupts at once. Only Python's main thread is told of signals.
    """
    came: list[int] = []

    def note(number: int, frame: object) -> None:
        came.append(number)
        if came.count(signal.SIGINT) > 1 or not begun():
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # `nohup` wants to go on
        numbers.append(signal.SIGHUP)
    kept = {number: signal.signal(number, note) for number in numbers}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def describe_step(records: Sequence[StepRecord]) -> list[str]:
    """Say where a training stands: step, smoothed loss, seconds left, and the newest validation."""
    newest = records[-1]
    parts = [text("train_line", step=newest.step, steps=newest.steps, loss=smooth(records)[-1], rate=newest.rate,
                  left=newest.seconds_left)]
    seen = [record.validation_loss for record in records if record.validation_loss is not None]
    return [*parts, text("train_validation", loss=seen[-1])] if seen else parts


def describe_end(records: Sequence[StepRecord]) -> list[str]:
    """Say how a training ended; empty where it has not."""
    if not records or not records[-1].stopped:
        return []
    last = records[-1]
    return [text(f"train_ended_{last.stopped}", step=last.step, steps=last.steps,
                 seconds=sum(record.seconds for record in records))]


def describe_memory(record: StepRecord) -> str:
    """Say how much memory a training takes."""
    return text("train_memory_gpu" if record.gpu else "train_memory", size=record.memory / GIB)


def smooth(records: Sequence[StepRecord]) -> list[float]:
    """Return the running mean of the losses, which waver with the noise levels that each step draws."""
    means: list[float] = []
    weight = 0.0
    for record in records:
        weight = SMOOTH * weight + 1 - SMOOTH  # the first values have nothing before them
        before = means[-1] if means else 0.0
        means.append(before + (1 - SMOOTH) / weight * (record.loss - before))
    return means


def draw_curve(records: Sequence[StepRecord]) -> Image.Image:
    """Draw the loss of each step as a dot, their running mean, and the validation's error."""
    figure = new_figure(WIDTH, CURVE_HEIGHT + 54)
    axes = add_axes(figure, 60, 10, WIDTH - 80, CURVE_HEIGHT)
    steps = [record.step for record in records]
    axes.plot(steps, [record.loss for record in records], ".", color=BLUE, alpha=0.25, markersize=4)
    axes.plot(steps, smooth(records), color=BLUE, linewidth=1.5, label="loss")
    seen = [(record.step, record.validation_loss) for record in records if record.validation_loss is not None]
    if seen:
        axes.plot(*zip(*seen), ".-", color=ORANGE, linewidth=1.5, label="validation")
        axes.legend(loc="upper right", frameon=False, labelcolor=GREY, fontsize=points(LETTER))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.grid(color=GREY, alpha=0.3, linewidth=0.5)
    return render(figure)


def draw_training(records: Sequence[StepRecord]) -> Image.Image:
    """Draw the curve, and under it the sample pictures: a row per prompt, a column per step that drew them."""
    curve = draw_curve(records)
    shown = [record for record in records if record.samples]
    if not shown:
        return curve
    apart = max(1, -(-len(shown) // MOST_COLUMNS))
    shown = shown[::-1][::apart][::-1]  # the last one is always there
    cell, rows = (WIDTH - 20) // MOST_COLUMNS, len(shown[-1].samples)
    figure = new_figure(curve.width, curve.height + 24 + rows * cell)
    for column, record in enumerate(shown):
        write(figure, 10 + (column + 0.5) * cell, curve.height + 10, f"step {record.step}")
    drawn = render(figure)
    drawn.paste(curve, (0, 0))
    for column, record in enumerate(shown):
        for row, picture in enumerate(record.samples):
            paste(drawn, picture.image, 10 + column * cell, curve.height + 22 + row * cell, cell - 4)
    return drawn


def show_sample(picture: Picture) -> widgets.Widget:
    """Return a sample picture with its words as a widget."""
    image = widgets.Image(value=encode_png(picture.image), format="png").add_class("kolors-thumb")
    return widgets.VBox([image, widgets.HTML(say(picture.caption, "quiet"))], layout={"width": "160px"})
