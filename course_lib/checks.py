"""Check a value that a learner gave: answered with a LessonError where it is outside its bounds."""

import ipaddress
from numbers import Real
from urllib.parse import urlsplit

from course_lib.messages import error, text


def check_range(name: str, value: float, low: float, high: float, kind: type = Real) -> None:
    """Answer a setting that is no number of its kind (Real, Integral), or outside its bounds, with a LessonError."""
    if isinstance(value, bool) or not isinstance(value, kind):
        raise error("setting_no_number" if kind is Real else "setting_no_whole_number", name=name, value=repr(value),
                    low=low, high=high)
    if not low <= value <= high:  # NaN is within no bounds
        raise error("setting_wrong", name=name, value=value, low=low, high=high)


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Answer a setting that is none of its choices with a LessonError."""
    if value not in choices:
        raise error("setting_no_choice", name=name, value=repr(value), choices=text("list_comma").join(choices))


def check_secret(name: str, value: str) -> str:
    """Return a key or token from the environment without spaces around it; LessonError for one no header can hold."""
    value = value.strip()
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise error("secret_odd", name=name)
    return value


def is_loopback(url: str) -> bool:
    """Say whether an address is on this machine."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_text(name: str, value: str) -> None:
    """Answer a prompt that is no text with a LessonError."""
    if not isinstance(value, str):
        raise error("prompt_no_text", name=name, kind=type(value).__name__)
