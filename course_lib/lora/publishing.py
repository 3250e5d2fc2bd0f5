"""From a trained LoRA to its page on ModelScope: the card that says what it is, the upload, a check of what arrived."""

import html
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

import safetensors

from course_lib.checks import check_choice, check_secret, is_loopback
from course_lib.files import is_inside, refuse_pointer, sha256
from course_lib.hub import client, repository
from course_lib.hub.client import connect
from course_lib.hub.failures import find_endpoint, find_status, unfold
from course_lib.hub.proxy import explain_proxy
from course_lib.lora.headers import BASES, find_lora, read_header_alpha
from course_lib.lora.public import redraw, write_public
from course_lib.messages import LANGUAGES, TEXTS, LessonError, error, text
from course_lib.pictures.opening import open_picture

TOKEN = "MODELSCOPE_API_TOKEN"
PLACES = {"model": "models", "studio": "studios"}  # kind -> where its page is
STUDIO = {".py", ".txt", ".json", ".md", ".safetensors", ".model"}  # endings of a demo's files
PICTURES = {".png", ".jpg", ".jpeg", ".webp"}
AGREEMENT = "MODEL_LICENSE"
DOWN = re.compile(r"lora_A(\.default)?\.weight|lora_down\.weight|lora\.down\.weight")  # its rows are the rank


@dataclass(frozen=True)
class LoraFacts:
    """What a card says of a LoRA: rank and alpha (its effect is scaled by alpha/rank), trigger word, base model."""

    rank: str  # "4-16" where layers differ
    alpha: float
    trigger: str
    base: str


def publish(folder: str | Path, repo: str, *, alpha: float | None = None, trigger: str | None = None,
            base: str = "kolors", kind: str = "model", dry_run: bool = False, more: Mapping[str, str] | None = None,
            pages: Sequence[str] = (), thumbnail: str = "") -> str:
    """Publish a folder's one LoRA with its pictures and a new model card as owner/name; return its page's address.

    `alpha` and `trigger` are read from the file if not given; `base` is "kolors", "tiny" or a repository. `more` are
    further sections of the card ("zh" and "en"), `pages` names of HTML files that go along, `thumbnail` that of the
    picture that goes into the LoRA's header. A `kind` of "studio" takes
    a folder that `demo` wrote as it is. `dry_run` shows all that would go up and sends nothing. LessonError.
    """
    folder = Path(folder).expanduser()
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", str(repo), re.ASCII):
        raise error("publish_name", repo=repo)
    check_choice("kind", kind, tuple(PLACES))
    card = ""
    if kind == "model":
        lora = find_lora(folder)
        card = write_card(repo.split("/")[1], read_facts(lora, alpha=alpha, trigger=trigger, base=base), more or {})
    endpoint = find_endpoint()
    address = f"{endpoint}/{PLACES[kind]}/{repo}"
    token = "" if dry_run else read_token(endpoint)
    with tempfile.TemporaryDirectory() as place:
        staging = Path(place)
        files = (stage_studio(folder, staging) if kind == "studio"
                 else stage(folder, lora, card, staging, base, pages, thumbnail))
        if dry_run:
            show_plan(staging, files, address, card)
            return address
        print(text("publish_plan", address=address, files=text("list_comma").join(files)))
        send(staging, files, repo, kind, token)
    print(text("publish_done", address=address))
    return address


def read_token(endpoint: str) -> str:
    """Return the token from the environment; LessonError for none, or where it would travel in the open."""
    token = check_secret(TOKEN, os.environ.get(TOKEN, ""))
    if not token:
        raise error("token_missing")
    if not endpoint.startswith("https://") and not is_loopback(endpoint):
        raise error("token_open", endpoint=endpoint)
    return token


def show_plan(staging: Path, files: Sequence[str], address: str, card: str) -> None:
    """Print what a publication would send: address, each file with its size, the whole card."""
    print(text("publish_dry", address=address))
    for name in files:
        print(text("publish_dry_file", name=name, size=(staging / name).stat().st_size / 1000))
    if card:
        print(text("publish_dry_card", card=card))


def send(staging: Path, files: Sequence[str], repo: str, kind: str, token: str) -> None:
    """Upload a folder and compare what arrived; LessonError, in which the token never stands."""
    from modelscope_hub.errors import HubError

    try:
        upload(staging, repo, kind, token)
        check_published(staging, files, repo, kind, token)
    except (HubError, OSError, ValueError) as cause:
        raise explain_refusal(cause, repo) from None  # a server's words, and a request's, may hold the token


def read_facts(file: Path, *, alpha: float | None, trigger: str | None, base: str) -> LoraFacts:
    """Read a LoRA's rank from its shapes, alpha and trigger word from what is given or its header; LessonError."""
    refuse_pointer(file)
    try:
        with safetensors.safe_open(file, framework="numpy") as content:
            names = list(content.keys())
            ranks = {content.get_slice(name).get_shape()[0] for name in names if DOWN.search(name)}
            header = content.metadata() or {}
            if alpha is None:
                alphas = {float(content.get_tensor(name)) for name in names if name.endswith(".alpha")}
                alpha = find_alpha(header, alphas)
    except (OSError, safetensors.SafetensorError, ValueError, TypeError, AttributeError) as cause:
        raise error("lora_unreadable", file=file.name, cause=cause) from cause
    if not ranks:
        raise error("lora_no_matrices", file=file.name)
    if alpha is None:
        raise error("lora_no_alpha", file=file.name)
    rank = "-".join(str(each) for each in sorted({min(ranks), max(ranks)}))
    return LoraFacts(rank, alpha, trigger or header.get("trigger_word", ""), BASES.get(base, base))


def find_alpha(header: dict[str, str], alphas: set[float]) -> float | None:
    """Find alpha: kohya's tensors', else in a header our own, kohya's, diffusers' table; None if nowhere or several.

    The tensors go first, as in every tool that draws with the file.
    """
    if alphas:
        return min(alphas) if len(alphas) == 1 else None
    told = read_header_alpha(header)
    if told is not None:
        return told
    table = json.loads(header.get("lora_adapter_metadata", "{}"))
    listed = {float(value) for key, value in table.items() if key.endswith("lora_alpha")}
    return listed.pop() if len(listed) == 1 else None


def write_card(title: str, facts: LoraFacts, more: Mapping[str, str]) -> str:
    """Write a model card in both languages: base, rank, alpha, trigger word, further sections, Kolors' licence."""
    kolors = facts.base != BASES["tiny"]
    parts = [TEXTS["lora_card"][language].format(
        title=escape_words(title), base=escape_words(facts.base), rank=facts.rank, alpha=f"{facts.alpha:g}",
        trigger=escape_words(facts.trigger) or TEXTS["none"][language],
        origin=TEXTS["lora_origin_kolors" if kolors else "lora_origin_tiny"][language],
        more=more.get(language, ""), licence=TEXTS["kolors_licence"][language]) for language in LANGUAGES]
    # The keys ModelScope reads at the top of a card; "other" because Kolors' agreement has no short name there.
    head = {"license": "other" if kolors else "Apache License 2.0", "tags": ["LoRA", "text-to-image", "Kolors"]}
    if kolors:
        head["base_model"] = [facts.base]
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in head.items()]  # JSON is YAML
    return "\n".join(["---", *lines, "---", "", *parts])


def escape_words(words: str) -> str:
    """Return words for one cell of a Markdown table: what looks like Markdown or HTML in them is shown, not obeyed."""
    plain = " ".join(words.replace("|", " ").split())
    return re.sub(r"([\\`*_\[\]()#!~])", r"\\\1", html.escape(plain, quote=False))


def stage(folder: Path, lora: Path, card: str, staging: Path, base: str, pages: Sequence[str],
          thumbnail: str) -> list[str]:
    """Gather what is published, and nothing else of the folder: the LoRA, its pictures and pages, agreement, card.

    No link is followed: LessonError. Pictures are drawn anew and headers cut, so that nothing private goes along.
    """
    pictures = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in PICTURES and not file.is_dir()]
    written = [folder / name for name in pages if is_inside(name) and name.endswith(".html")]
    for file in (lora, *pictures, *written, folder / AGREEMENT):
        if file.is_symlink():
            raise error("publish_link", file=file.name)
    agreement = next((place / AGREEMENT for place in (folder, repository.cache_folder(repository.KOLORS))
                      if (place / AGREEMENT).is_file()), None)
    if agreement:
        shutil.copyfile(agreement, staging / AGREEMENT)
    elif base != "tiny":
        print(text("publish_no_agreement", folder=folder))
    for file in written:
        shutil.copyfile(file, staging / file.name)
    for file in pictures:
        try:
            redraw(file, staging / file.name)
        except LessonError as problem:
            print(text("publish_no_picture", file=file.name, cause=problem.why))
    small = staging / thumbnail if thumbnail in [file.name for file in pictures] else None
    write_public(lora, staging / lora.name, open_picture(small) if small and small.is_file() else None)
    (staging / "README.md").write_text(card, encoding="utf-8")
    return sorted(file.name for file in staging.iterdir())


def stage_studio(folder: Path, staging: Path) -> list[str]:
    """Gather a demo's folder: the kinds of file that STUDIO names; no link is followed, no hidden file goes along."""
    for name in ("app.py", "requirements.txt", "ms_deploy.json"):
        if not (folder / name).is_file():
            raise error("publish_no_demo", folder=folder, file=name)
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        if any(part.startswith((".", "__")) for part in inside.parts):
            continue
        if file.is_symlink():
            raise error("publish_link", file=inside)
        if file.is_file() and file.suffix in STUDIO:
            (staging / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, staging / inside)
    return sorted(file.relative_to(staging).as_posix() for file in staging.rglob("*") if file.is_file())


def upload(staging: Path, repo: str, kind: str, token: str) -> None:
    """Make the repository unless it is there, and send every file of a folder to it."""
    from modelscope_hub.errors import AlreadyExistsError

    api = connect(token)
    with suppress(AlreadyExistsError):  # published before: its files are replaced
        api.create_repo(repo, kind, visibility="public", license="other",
                        **({"sdk_type": "gradio"} if kind == "studio" else {}))
    with redirect_stdout(io.StringIO()):  # the client prints a report of its own
        api.upload_folder(repo, kind, staging, commit_message="LoRA", use_cache=False, disable_tqdm=True)


def check_published(staging: Path, files: Sequence[str], repo: str, kind: str, token: str) -> None:
    """Compare what the repository now lists with what was sent: LessonError for a file that is not there or differs."""
    listed = {file.path: file for file in connect(token).list_repo_files(repo, kind)}
    for name in files:
        there, size = listed.get(name), (staging / name).stat().st_size
        digest = client.read_hash(there.sha256) if there else None
        if there is None or there.size != size or digest not in (None, sha256(staging / name)):
            raise error("publish_incomplete", repo=repo, file=name)


def explain_refusal(cause: Exception, repo: str) -> LessonError:
    """Say why an upload failed, by its kind and status alone: a server's own words could repeat the token."""
    causes = list(unfold(cause))
    status = next((code for code in map(find_status, causes) if code), None)
    proxy = explain_proxy(causes, status, find_endpoint())
    if proxy:
        return proxy
    if status in (401, 403):
        return error("publish_refused", repo=repo, endpoint=find_endpoint(), status=status)
    return error("publish_failed", repo=repo, endpoint=find_endpoint(), cause=status or type(cause).__name__)
