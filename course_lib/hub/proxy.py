"""A proxy between this machine and the hub: which one, and what it failed of, so that the hub is not blamed for it."""

import os
import re
from collections.abc import Sequence
from urllib.parse import urlsplit
from urllib.request import getproxies

from course_lib.messages import LessonError, error, text

REFUSED = 407  # the status that proxies alone answer: who are you?
SHOWN = 150  # letters of what a proxy said


def explain_proxy(causes: Sequence[BaseException], status: int | None, address: str) -> LessonError | None:
    """Say what the proxy on the way to an address failed of; None where none of the causes is a proxy's."""
    kinds = {kind.__name__ for each in causes for kind in type(each).__mro__}
    said = hide(str(causes[-1]).splitlines()[0] if str(causes[-1]) else type(causes[-1]).__name__)[:SHOWN]
    if any("SOCKS" in str(each) for each in causes) and "InvalidSchema" in kinds:  # requests wants a package for it
        return error("proxy_no_socks", proxy=find_proxy(address))
    if status == REFUSED or "Tunnel connection failed: 407" in said:
        return error("proxy_login", proxy=find_proxy(address))
    if kinds & {"InvalidProxyURL", "ProxySchemeUnknown"}:
        return error("proxy_malformed", proxy=find_proxy(address), cause=said)
    if any("Proxy" in kind for kind in kinds):
        return error("proxy_fails", proxy=find_proxy(address), endpoint=address, cause=said)
    return None


def find_proxy(address: str) -> str:
    """Return the setting that names the proxy for an address, such as "ALL_PROXY=socks5://host:1", its password hidden.

    Where no variable names one it is the system's (Windows, macOS).
    """
    scheme, proxies = urlsplit(address).scheme, getproxies()
    value = proxies.get(scheme) or proxies.get("all") or "?"
    names = (f"{scheme}_proxy", "all_proxy")
    name = next((name for name in os.environ if name.lower() in names and os.environ[name] == value),
                text("proxy_of_system"))
    return f"{name}={hide(value)}"


def hide(words: str) -> str:
    """Return words without the user's name and password in their addresses."""
    return re.sub(r"//[^/@\s]*@", "//***@", words)
