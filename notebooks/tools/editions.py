"""Hold one edition of a lesson against the other: what their cells put out is of the same kinds.

Both editions share all code, but each asks in its own language, and so draws its own pictures and prints its own
numbers. `make test` executes every second lesson in Chinese and the others in English (Makefile).
"""


def edition_differences(one, other):
    """List which cells of two editions of a lesson put out other kinds of things; cells are named by their ids."""
    pairs = [pair for pair in zip(one.cells, other.cells, strict=True) if pair[0].cell_type == "code"]
    return [
        f"{first.id}: puts out {kinds(first)} and {kinds(second)}"
        for first, second in pairs
        if kinds(first) != kinds(second)
    ]


def kinds(cell):
    """Return the type of each output of a cell, and the types of its data."""
    return [(output.output_type, *sorted(output.get("data", {}))) for output in cell.outputs]
