"""Pictures about pictures: difference map, film strip with its curve, X/Y grid, steps beside the sigma schedule.

Backgrounds are transparent and letters grey, so that each can be read in a light and in a dark notebook.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw

from course_lib.pictures.picture import SHOWN_SIZE, Picture

GREY, BLUE, ORANGE = "#808080", "#3584e4", "#e8710a"  # each at least 3 : 1 against black and against white
LETTER = 13  # px, as the widgets' own
GAP = 2  # px between pictures
WIDTH = 580  # px of a whole strip; JupyterLab makes it smaller where the window is
LEAST_WIDTH = 2 * SHOWN_SIZE + 8  # a Picture below this is shown enlarged, letters and all
DIFFERENCE_SHOWN = 0.5  # a difference of half the scale or more is shown brightest


def difference_map(first: Image.Image, second: Image.Image) -> Image.Image:
    """Colour each pixel by how far two pictures of one size differ there: black 0, yellow-white half the scale."""
    values = [np.asarray(picture.convert("RGB"), dtype=float) / 255 for picture in (first, second)]
    difference = np.abs(values[0] - values[1]).mean(axis=2)
    colours = matplotlib.colormaps["inferno"](np.minimum(difference / DIFFERENCE_SHOWN, 1))
    return Image.fromarray((colours[..., :3] * 255).round().astype(np.uint8))


def draw_strip(rows: Sequence[Sequence[Image.Image]], numbers: np.ndarray, parameter: str, values: Sequence[object],
               seeds: Sequence[int], measure: str) -> Image.Image:
    """Draw one row of pictures per seed, and under each column the measured numbers [seeds, values] as a curve.

    The two bars beside the curve compare how far the mean moves over the values with how far the seeds lie apart.
    """
    left, right, top, curve = 70, 92, 24, 150
    cell = choose_cell(WIDTH - left - right, len(values))
    middle = top + cell * len(seeds) + 8
    figure = new_figure(left + cell * len(values) + right, middle + curve + 50)
    axes = add_axes(figure, left, middle, cell * len(values), curve)
    draw_curve(axes, numbers, measure)
    axes.set_xticks(range(len(values)), [shorten(value, cell) for value in values])
    axes.set_xlabel(parameter)
    bars = add_axes(figure, left + cell * len(values) + 14, middle, right - 22, curve)
    draw_spread(bars, numbers, parameter)
    bars.set_ylim(axes.get_ylim())
    for row, seed in enumerate(seeds):
        write(figure, left - 8, top + cell * (row + 0.5), f"seed {seed}" if seed < 10**4 else f"…{seed % 10**4:04}",
              ha="right")
    for column, value in enumerate(values):
        write(figure, left + cell * (column + 0.5), top / 2, shorten(value, cell))
    drawn = render(figure)
    for (row, pictures), column in product(enumerate(rows), range(len(values))):
        paste(drawn, pictures[column], left + cell * column, top + cell * row, cell - GAP)
    return drawn


def draw_curve(axes: Axes, numbers: np.ndarray, measure: str) -> None:
    """Draw the mean over the seeds as a line, their range as a band, and each seed as a dot."""
    places = np.arange(numbers.shape[1])
    axes.fill_between(places, numbers.min(axis=0), numbers.max(axis=0), color=BLUE, alpha=0.25, linewidth=0)
    axes.plot(places, numbers.T, ".", color=BLUE, alpha=0.6, markersize=5)
    axes.plot(places, numbers.mean(axis=0), color=BLUE, linewidth=2)
    axes.set_xlim(-0.5, numbers.shape[1] - 0.5)
    axes.margins(y=0.12)
    axes.set_ylabel(measure)
    axes.grid(axis="both", color=GREY, alpha=0.3, linewidth=0.5)


def draw_spread(axes: Axes, numbers: np.ndarray, parameter: str) -> None:
    """Draw two bars: from the lowest to the highest mean over the values, and the mean range over the seeds."""
    means = numbers.mean(axis=0)
    seeds = float(np.ptp(numbers, axis=0).mean())
    middle = float(means.mean())
    axes.bar([0], [np.ptp(means)], bottom=[means.min()], width=0.55, color=BLUE)
    axes.bar([1], [seeds], bottom=[middle - seeds / 2], width=0.55, color=ORANGE)
    axes.set_xticks([0, 1], [shorten(parameter, 34), "seed"])
    axes.set_xlim(-0.6, 1.6)
    axes.set_yticks([])
    axes.spines[["left", "bottom"]].set_visible(False)


def draw_grid(rows: Sequence[Sequence[Image.Image]], x: tuple[str, Sequence[object]],
              y: tuple[str, Sequence[object]]) -> Image.Image:
    """Draw a table of pictures whose columns and rows are labelled; x and y are (parameter, its values)."""
    left = 24 + 10 + max(text_width(describe_value(value)) for value in y[1])
    top = 44
    cell = choose_cell(int(WIDTH - left), len(x[1]))
    figure = new_figure(left + cell * len(x[1]), top + cell * len(y[1]))
    write(figure, left + cell * len(x[1]) / 2, 10, x[0], weight="bold")
    write(figure, 10, top + cell * len(y[1]) / 2, y[0], weight="bold", rotation=90)
    for column, value in enumerate(x[1]):
        write(figure, left + cell * (column + 0.5), 30, shorten(value, cell))
    for row, value in enumerate(y[1]):
        write(figure, left - 6, top + cell * (row + 0.5), describe_value(value), ha="right")
    drawn = render(figure)
    for (row, pictures), column in product(enumerate(rows), range(len(x[1]))):
        paste(drawn, pictures[column], left + cell * column, top + cell * row, cell - GAP)
    return drawn


def choose_cell(width: int, columns: int) -> int:
    """Return how far apart pictures are to stand, in pixels: small ones shown twice as large if there is room."""
    return min(128, max(48, width // columns - GAP)) + GAP


def draw_steps(pictures: Sequence[Image.Image], chosen: Sequence[int], sigmas: Sequence[float]) -> list[Image.Image]:
    """Draw one frame per chosen step: its predicted picture beside the curve of all sigmas, with its own marked."""
    size, left = 192, 62
    figure = new_figure(WIDTH, size + 46)
    axes = add_axes(figure, size + left, 6, WIDTH - size - left - 10, size - 6)
    axes.plot(range(1, len(sigmas) + 1), sigmas, ".-", color=BLUE, linewidth=1.5, markersize=5)
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("step")
    axes.set_ylabel("sigma")
    axes.grid(color=GREY, alpha=0.3, linewidth=0.5)
    empty = render(figure)
    places = axes.transData.transform([(index + 1, sigmas[index]) for index in chosen])
    frames = []
    for picture, (x, y) in zip(pictures, places):
        frame = empty.copy()
        y = empty.height - y  # matplotlib counts from the bottom
        ImageDraw.Draw(frame).ellipse((x - 6, y - 6, x + 6, y + 6), fill=ORANGE)
        paste(frame, picture, 0, 6, size)
        frames.append(frame)
    return frames


def plot(lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], xlabel: str, ylabel: str, *,
         xscale: str = "linear", yscale: str = "linear") -> Picture:
    """Draw named lines of (x values, y values) with a dot at each value; scales are linear or log, as matplotlib's."""
    figure = new_figure(WIDTH, 300)
    axes = add_axes(figure, 75, 12, WIDTH - 250, 235)
    for number, (name, (x, y)) in enumerate(lines.items()):
        axes.plot(x, y, ".-", label=name, color=matplotlib.colormaps["tab10"](number % 10), linewidth=1.5)
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale=xscale, yscale=yscale)
    if xscale == "log":
        axes.set_xticks(x, [describe_value(value) for value in x])
        axes.minorticks_off()
    axes.grid(color=GREY, alpha=0.3, linewidth=0.5)
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.02), frameon=False, labelcolor=GREY, fontsize=points(LETTER))
    return Picture(render(figure), f"{ylabel} / {xlabel}: " + ", ".join(lines))


def new_figure(width: float, height: float) -> Figure:
    """Start a transparent figure of width x height pixels; a narrow one gets room at its right."""
    figure = Figure(figsize=(max(width, LEAST_WIDTH) / 100, height / 100), dpi=100, facecolor="none")
    FigureCanvasAgg(figure)  # not pyplot, which is not made for several threads
    return figure


def add_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes at a place counted in pixels from the top left corner, in the colours of all figures."""
    whole_width, whole_height = figure.get_size_inches() * figure.dpi
    axes = figure.add_axes((left / whole_width, 1 - (top + height) / whole_height,
                            width / whole_width, height / whole_height), facecolor="none")
    axes.tick_params(colors=GREY, labelsize=points(LETTER), length=3)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=GREY, fontsize=points(LETTER))
    axes.spines[:].set_color(GREY)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def write(figure: Figure, x: float, y: float, words: str, ha: str = "center", **style: object) -> None:
    """Write words around a point counted in pixels from the top left corner."""
    width, height = figure.get_size_inches() * figure.dpi
    figure.text(x / width, 1 - y / height, words, color=GREY, fontsize=points(LETTER), ha=ha, va="center", **style)


def render(figure: Figure) -> Image.Image:
    """Return a figure as an RGBA picture."""
    figure.canvas.draw()
    return Image.fromarray(np.asarray(figure.canvas.buffer_rgba()).copy())


def paste(onto: Image.Image, picture: Image.Image, x: float, y: float, size: int) -> None:
    """Paste a picture into a square of `size` pixels, enlarged pixel by pixel where a whole number of times fits."""
    method = Image.Resampling.LANCZOS if size % max(picture.size) else Image.Resampling.NEAREST
    scale = size / max(picture.size)
    shape = (round(picture.width * scale), round(picture.height * scale))
    onto.paste(picture.convert("RGB").resize(shape, method), (round(x), round(y)))


def shorten(value: object, width: float) -> str:
    """Return a value as letters that fit into so many pixels, broken into lines at its underscores."""
    words = describe_value(value)
    return words if text_width(words) <= width else words.replace("_", "_\n")


def text_width(words: str) -> float:
    """Return about how wide words are, in pixels."""
    return 0.62 * LETTER * len(words)


def points(pixels: float) -> float:
    """Return a letter's height in points, at 100 dots per inch."""
    return pixels * 0.72


def describe_value(value: object) -> str:
    """Return a setting's value as a label: numbers without needless zeros."""
    return f"{value:g}" if isinstance(value, float) else str(value)
