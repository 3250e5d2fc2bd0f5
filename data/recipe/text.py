"""Stage 2: the tokenizer (sentencepiece BPE on captions) and the text encoder, a ChatGLMModel of three layers.

The encoder is trained alone, as Kolors' own was: to say which subject, style and ground a caption names. `Reader` reads
that from its states as a UNet's cross-attention will, and from its pooled vector; then the encoder is frozen, so that
the UNet's training reads each caption once. Expected: 1,500 steps in five minutes of one core, all answers right.
"""

import math
import random
import tempfile
import time
from pathlib import Path

import sentencepiece
import torch
import torch.nn.functional as F
from diffusers.pipelines.kolors import ChatGLMModel, ChatGLMTokenizer
from diffusers.pipelines.kolors.text_encoder import ChatGLMConfig
from torch import nn

from course_lib.pictures import emoji, wording
from data.recipe.common import ALL_STYLES, load_checkpoint, log, one_cycle, save_checkpoint

VOCABULARY = 700
HIDDEN = 128
MOST_TOKENS = 256  # the pipeline pads every prompt to this length
LENGTH = 24  # tokens; holds every caption and a pad
NAMES = (list(emoji.subjects()), list(ALL_STYLES), list(emoji.GROUNDS))
STEPS = 1500
BATCH = 32
LEARNING_RATE = 2e-3


def make_captions(count: int, styles: tuple[str, ...], seed: int = 0) -> list[str]:
    """Write `count` captions of random scenes, half of them Chinese, half English."""
    rng = random.Random(f"{seed} captions")
    return [wording.caption(emoji.random_scene(rng, styles), ("zh", "en")[number % 2], rng) for number in range(count)]


def train_tokenizer(folder: Path, seed: int = 0) -> ChatGLMTokenizer:
    """Train the tokenizer and save it in `folder`; it knows the words of all styles, so LoRA needs no new token."""
    with tempfile.TemporaryDirectory() as scratch:
        prefix = Path(scratch) / "tokenizer"
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(make_captions(40_000, ALL_STYLES, seed)), model_prefix=str(prefix), model_type="bpe",
            vocab_size=VOCABULARY, character_coverage=1.0, hard_vocab_limit=False, unk_id=0, bos_id=1, eos_id=2,
            pad_id=-1, normalization_rule_name="nmt_nfkc_cf", num_threads=1, minloglevel=2)
        tokenizer = ChatGLMTokenizer(str(prefix.with_suffix(".model")))
        tokenizer.save_pretrained(folder)
    return ChatGLMTokenizer.from_pretrained(folder)


def build_text_encoder(tokenizer: ChatGLMTokenizer) -> ChatGLMModel:
    """Build the untrained text encoder; diffusers leaves its memory unset, so every tensor is set here."""
    config = ChatGLMConfig(
        num_layers=3, hidden_size=HIDDEN, ffn_hidden_size=340, kv_channels=32, num_attention_heads=4,
        multi_query_attention=True, multi_query_group_num=2, padded_vocab_size=tokenizer.vocab_size,
        seq_length=MOST_TOKENS, hidden_dropout=0.0, attention_dropout=0.0, classifier_dropout=0.0,
        layernorm_epsilon=1e-5, rmsnorm=True, apply_residual_connection_post_layernorm=False, post_layer_norm=True,
        add_bias_linear=False, add_qkv_bias=True, apply_query_key_layer_scaling=True, attention_softmax_in_fp32=True,
        fp32_residual_connection=False, original_rope=True, use_cache=False)
    encoder = ChatGLMModel(config, empty_init=False)
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if "layernorm" in name:
                parameter.fill_(1.0)
            elif name.endswith("bias") or "output_layer" in name:  # no word is ever predicted from the output layer
                parameter.zero_()
            else:
                parameter.normal_(0.0, 0.3 if "word_embeddings" in name else 0.02)
    return encoder.float()


def tokenize(tokenizer: ChatGLMTokenizer, captions: list[str], length: int, device: str) -> dict[str, torch.Tensor]:
    """Tokenize as KolorsPipeline does: padded on the left to `length` -> input_ids, attention_mask, position_ids."""
    tokens = tokenizer(captions, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    return {name: tokens[name].to(device) for name in ("input_ids", "attention_mask", "position_ids")}


def encode(encoder: ChatGLMModel, tokens: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Encode as KolorsPipeline does -> [batch, length, hidden] of the last layer but one, [batch, hidden] pooled."""
    states = encoder(**tokens, output_hidden_states=True).hidden_states
    return states[-2].permute(1, 0, 2), states[-1][-1]


class Reader(nn.Module):
    """Reads subject, style and ground from states [batch, tokens, HIDDEN] and from pooled vectors [batch, HIDDEN]."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [len(names) + 1 for names in NAMES]  # one more for "not named"
        self.questions = nn.Parameter(torch.randn(len(sizes), HIDDEN) / 10)
        self.keys, self.values = nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, HIDDEN)
        self.from_states = nn.ModuleList(nn.Linear(HIDDEN, size) for size in sizes)
        self.from_pooled = nn.ModuleList(nn.Linear(HIDDEN, size) for size in sizes)

    def forward(self, states: torch.Tensor, pooled: torch.Tensor) -> list[torch.Tensor]:
        """Return the logits of the three answers, twice: as read from the states, and from the pooled vector."""
        weights = (self.keys(states) @ self.questions.T / math.sqrt(HIDDEN)).softmax(dim=1)
        answers = weights.transpose(1, 2) @ self.values(states)  # [batch, 3, HIDDEN]
        return ([head(answers[:, number]) for number, head in enumerate(self.from_states)]
                + [head(pooled) for head in self.from_pooled])


def number_names(captions: list[str]) -> torch.Tensor:
    """Number what captions name -> [batch, 3]; the last number of each column stands for nothing."""
    rows = []
    for caption in captions:
        named = wording.read_prompt(caption)
        rows.append([names.index(name) if name else len(names)
                     for names, name in zip(NAMES, (named.subject, named.style, named.ground))])
    return torch.tensor(rows)


def train_text_encoder(tokenizer: ChatGLMTokenizer, folder: Path, device: str, seed: int = 0,
                       steps: int = STEPS) -> ChatGLMModel:
    """Train the text encoder, or read the one in folder/text.pt; the log is folder/text.jsonl."""
    torch.manual_seed(seed)
    encoder, reader = build_text_encoder(tokenizer).to(device), Reader().to(device)
    if saved := load_checkpoint(folder / "text.pt", device):
        encoder.load_state_dict(saved["model"])
        return encoder.eval().requires_grad_(False)
    rng, parameters = random.Random(f"{seed} text"), [*encoder.parameters(), *reader.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.01, betas=(0.9, 0.98))
    started = time.time()
    for step in range(steps):
        captions = ["" if rng.random() < 0.03 else
                    wording.caption(emoji.random_scene(rng, ALL_STYLES), rng.choice(("zh", "en")), rng)
                    for _ in range(BATCH)]
        wanted = number_names(captions).to(device)
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * one_cycle(step, steps)
        answers = reader(*encode(encoder, tokenize(tokenizer, captions, LENGTH, device)))
        loss = sum(F.cross_entropy(answer, wanted[:, number % 3], label_smoothing=0.02)
                   for number, answer in enumerate(answers))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if (step + 1) % 100 == 0 or step + 1 == steps:
            right = min((answer.argmax(dim=1) == wanted[:, number % 3]).float().mean().item()
                        for number, answer in enumerate(answers))
            log(folder / "text.jsonl", step=step + 1, loss=round(loss.item(), 4), right=round(right, 4),
                seconds=round(time.time() - started))
    save_checkpoint(folder / "text.pt", model=encoder.state_dict())
    return encoder.eval().requires_grad_(False)


@torch.no_grad()
def read_captions(encoder: ChatGLMModel, tokenizer: ChatGLMTokenizer, captions: list[str],
                  device: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Read captions -> states [count, LENGTH, HIDDEN] (float16), pooled [count, HIDDEN], mask [count, LENGTH].

    The pipeline pads to MOST_TOKENS, here it is LENGTH: all pads of a text have one state, and N equal keys weigh in
    the softmax as one with log N added. The mask is what diffusers turns into that: (mask - 1) x 10,000 is added.
    """
    states, pooled, masks = [], [], []
    for start in range(0, len(captions), 200):
        tokens = tokenize(tokenizer, captions[start:start + 200], LENGTH, device)
        part, vector = encode(encoder, tokens)
        words = tokens["attention_mask"].sum(dim=1, keepdim=True)
        heavier = ((MOST_TOKENS - words) / (LENGTH - words).clamp(min=1)).log()
        masks.append(1 + torch.where(tokens["attention_mask"].bool(), 0.0, heavier) / 10_000)
        states.append(part.half())
        pooled.append(vector)
    return torch.cat(states), torch.cat(pooled), torch.cat(masks)
