"""The tokenizer (sentencepiece BPE on captions) and the untrained text encoder, a ChatGLMModel of three layers."""

import random
import tempfile
from pathlib import Path

import sentencepiece
import torch
from diffusers.pipelines.kolors import ChatGLMModel, ChatGLMTokenizer
from diffusers.pipelines.kolors.text_encoder import ChatGLMConfig

from course_lib.pictures import emoji, wording
from data.recipe.common import ALL_STYLES

VOCABULARY = 700
HIDDEN = 128
MOST_TOKENS = 256  # the pipeline pads every prompt to this length


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
