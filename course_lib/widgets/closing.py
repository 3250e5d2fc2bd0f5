"""Take widgets away for good."""

from ipywidgets import Widget


def close_whole(*widgets: Widget) -> None:
    """Close widgets with all that they hold: what is inside them, and layouts and styles, which ipywidgets keeps."""
    waiting, seen = list(widgets), set()
    while waiting:
        widget = waiting.pop()
        if widget not in seen:
            seen.add(widget)
            for value in widget.trait_values(sync=True).values():
                waiting += [held for held in (value if isinstance(value, (tuple, list)) else [value])
                            if isinstance(held, Widget)]
    for widget in seen:
        Widget.close(widget)
