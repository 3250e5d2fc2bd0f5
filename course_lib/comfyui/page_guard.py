"""No page of another site can make a program on this machine do something, although the browser is logged in here.

Used by ComfyUI's process, whose Python need not know the course (standard library only), and by the Jupyter that
`make start` opens, as an extension: there it guards whatever is reached through `/proxy/PORT/`.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

READING = ("GET", "HEAD", "OPTIONS")  # other sites may send these; a browser does not show them the answer


def is_own(method: str, headers: Mapping[str, str]) -> bool:
    """Say whether a request changes nothing, or comes from a page of the same origin, or from no page at all."""
    if method in READING:
        return True
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None:
        return site in ("same-origin", "none")
    return origin is None or urlsplit(origin).netloc == headers.get("Host")  # programs that are no browser name none


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: object) -> None:
    """Called by Jupyter as it starts: every request that jupyter-server-proxy is to hand on is looked at first."""
    from jupyter_server_proxy.handlers import ProxyHandler
    from tornado.web import HTTPError

    prepare = ProxyHandler.prepare

    async def prepare_guarded(handler: ProxyHandler, *values: object, **options: object) -> None:
        await prepare(handler, *values, **options)
        if not is_own(handler.request.method, handler.request.headers):
            raise HTTPError(403)

    ProxyHandler.prepare = prepare_guarded
