"""What a failed request or download failed of, said in plain words."""

import errno
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path

from course_lib.files import free_bytes
from course_lib.hub.progress import show_size
from course_lib.hub.proxy import explain_proxy
from course_lib.hub.repository import Repo
from course_lib.messages import LessonError, error

QUOTA = getattr(errno, "EDQUOT", 122)
OFFLINE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}
CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


@contextmanager
def explained(repo: Repo, folder: Path) -> Iterator[None]:
    """Turn whatever the client or the disk raises into one LessonError; its errors have three unrelated roots."""
    from modelscope_hub.errors import HubError

    try:
        yield
    except (HubError, OSError, ValueError, TypeError, AttributeError) as cause:  # the last three: no listing at all
        raise explain(cause, repo, folder) from cause


def explain(cause: BaseException, repo: Repo, folder: Path) -> LessonError:
    """Say what a failed download failed of: the disk first, then the files, the server's answers, and the line."""
    from modelscope_hub.errors import FileIntegrityError, HubError, RequestTimeoutError

    causes = list(unfold(cause))
    system = [each for each in causes if isinstance(each, OSError) and not isinstance(each, ssl.SSLError)]
    numbers = {each.errno for each in system}  # SSL counts its errors by itself: its 1 is not EPERM
    status = next((code for code in map(find_status, causes) if code), None)
    file = next(iter(getattr(cause, "failed_files", {})), None)
    place = {"name": repo.name, "endpoint": find_endpoint()}
    if not isinstance(cause, (HubError, OSError)) or isinstance(cause, JSONDecodeError):
        return error("answer_strange", cause=type(cause).__name__, **place)
    if errno.ENOSPC in numbers:
        return error("disk_full", folder=folder, free=show_size(free_bytes(folder)))
    if QUOTA in numbers:
        return error("quota_full", folder=folder)
    if numbers & CLOSED:
        return error("folder_closed", folder=folder,
                     cause=next(each.strerror for each in system if each.errno in CLOSED))
    if any(isinstance(each, FileIntegrityError) for each in causes):
        return error("download_corrupt", name=repo.name, file=file)
    proxy = explain_proxy(causes, status, place["endpoint"])
    if proxy:
        return proxy
    if status in (401, 403):
        return error("repo_forbidden", status=status, **place)
    if status == 404 and file:
        return error("file_gone", file=file, **place)
    if status == 404:
        return error("repo_unknown", revision=repo.revision, **place)
    if status == 429:
        return error("server_busy", endpoint=place["endpoint"])
    if status:
        return error("server_error", endpoint=place["endpoint"], status=status)
    if any(isinstance(each, socket.gaierror) for each in causes) or numbers & OFFLINE:
        return error("no_network", **place)
    untrusted = next((each for each in causes if isinstance(each, ssl.SSLCertVerificationError)), None)
    if untrusted:
        return error("certificate_refused", endpoint=place["endpoint"], cause=untrusted.verify_message)
    if any(isinstance(each, RequestTimeoutError) for each in causes):
        return error("server_silent", endpoint=place["endpoint"])
    if file:
        return error("download_cut", name=repo.name, file=file, cause=type(causes[-1]).__name__)
    return error("endpoint_unreachable", cause=type(causes[-1]).__name__, **place)


def unfold(cause: BaseException | None, seen: frozenset[int] = frozenset()) -> Iterator[BaseException]:
    """Yield an exception, those of the files that it failed with, and what caused each of them."""
    if cause is None or id(cause) in seen:
        return
    yield cause
    for deeper in (*getattr(cause, "failed_files", {}).values(), cause.__cause__ or cause.__context__):
        yield from unfold(deeper, seen | {id(cause)})


def find_status(cause: BaseException) -> int | None:
    """Return the HTTP status that an exception carries, or None."""
    return getattr(cause, "status_code", None) or getattr(getattr(cause, "response", None), "status_code", None)


def find_endpoint() -> str:
    """Return the address that the client asks."""
    from modelscope_hub import HubConfig

    return str(HubConfig(token="").endpoint)
