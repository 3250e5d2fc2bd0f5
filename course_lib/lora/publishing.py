"""From a trained LoRA to its page on ModelScope: the card that says what it is, the upload, a check of what arrived."""

import html
import io
import json
import os
import re
import shutil
import tempfile
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

import safetensors

from course_lib.checks import check_secret, is_loopback
from course_lib.files import refuse_pointer, sha256
from course_lib.hub import client, repository
from course_lib.hub.client import connect
from course_lib.hub.failures import find_endpoint, find_status, unfold
from course_lib.hub.proxy import explain_proxy
from course_lib.lora.headers import BASES, find_lora, read_header_alpha
from course_lib.lora.public import redraw, write_public
from course_lib.messages import LANGUAGES, TEXTS, LessonError, error, text

TOKEN = "MODELSCOPE_API_TOKEN"
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
            base: str = "kolors") -> str:
    """Publish a folder's one LoRA with its pictures and a new model card as owner/name; return its page's address.

    `alpha` and `trigger` are read from the file if not given; `base` is "kolors", "tiny" or a repository. LessonError.
    """
    from modelscope_hub.errors import HubError

    folder = Path(folder).expanduser()
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", str(repo), re.ASCII):
        raise error("publish_name", repo=repo)
    lora = find_lora(folder)
    card = write_card(repo.split("/")[1], read_facts(lora, alpha=alpha, trigger=trigger, base=base))
    token, endpoint = check_secret(TOKEN, os.environ.get(TOKEN, "")), find_endpoint()
    if not token:
        raise error("token_missing")
    if not endpoint.startswith("https://") and not is_loopback(endpoint):
        raise error("token_open", endpoint=endpoint)
    address = f"{endpoint}/models/{repo}"
    with tempfile.TemporaryDirectory() as staging:
        files = stage(folder, lora, card, Path(staging), base)
        print(text("publish_plan", address=address, files=text("list_comma").join(files)))
        try:
            upload(Path(staging), repo, token)
            check_published(Path(staging), files, repo, token)
        except (HubError, OSError, ValueError) as cause:
            raise explain_refusal(cause, repo) from None  # a server's words, and a request's, may hold the token
    print(text("publish_done", address=address))
    return address


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


def write_card(title: str, facts: LoraFacts) -> str:
    """Write a model card in both languages: base model, rank, alpha, trigger word, and Kolors' licence."""
    kolors = facts.base != BASES["tiny"]
    parts = [TEXTS["lora_card"][language].format(
        title=escape_words(title), base=escape_words(facts.base), rank=facts.rank, alpha=f"{facts.alpha:g}",
        trigger=escape_words(facts.trigger) or TEXTS["none"][language],
        origin=TEXTS["lora_origin_kolors" if kolors else "lora_origin_tiny"][language],
        licence=TEXTS["kolors_licence"][language]) for language in LANGUAGES]
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


def stage(folder: Path, lora: Path, card: str, staging: Path, base: str) -> list[str]:
    """Gather what is published, and nothing else of the folder: the LoRA, its pictures, the agreement, the card.

    No link is followed: LessonError. Pictures are drawn anew and headers cut, so that nothing private goes along.
    """
    pictures = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in PICTURES and not file.is_dir()]
    for file in (lora, *pictures, folder / AGREEMENT):
        if file.is_symlink():
            raise error("publish_link", file=file.name)
    agreement = next((place / AGREEMENT for place in (folder, repository.cache_folder(repository.KOLORS))
                      if (place / AGREEMENT).is_file()), None)
    if agreement:
        shutil.copyfile(agreement, staging / AGREEMENT)
    elif base != "tiny":
        print(text("publish_no_agreement", folder=folder))
    write_public(lora, staging / lora.name)
    for file in pictures:
        try:
            redraw(file, staging / file.name)
        except LessonError as problem:
            print(text("publish_no_picture", file=file.name, cause=problem.why))
    (staging / "README.md").write_text(card, encoding="utf-8")
    return sorted(file.name for file in staging.iterdir())


def upload(staging: Path, repo: str, token: str) -> None:
    """Make the repository unless it is there, and send every file of a folder to it."""
    from modelscope_hub.errors import AlreadyExistsError

    api = connect(token)
    with suppress(AlreadyExistsError):  # published before: its files are replaced
        api.create_repo(repo, "model", visibility="public", license="other")
    with redirect_stdout(io.StringIO()):  # the client prints a report of its own
        api.upload_folder(repo, "model", staging, commit_message="LoRA", use_cache=False, disable_tqdm=True)


def check_published(staging: Path, files: list[str], repo: str, token: str) -> None:
    """Compare what the repository now lists with what was sent: LessonError for a file that is not there or differs."""
    listed = {file.path: file for file in connect(token).list_repo_files(repo, "model")}
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
