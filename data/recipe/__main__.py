"""Train Tiny Kolors and its judge again, with one command, from the pictures in data/emoji.

    python -m data.recipe                    # everything, on the CPU; --device cuda on a GPU
    python -m data.recipe --stage score      # only measure the shipped model again

Every stage saves as it goes and, started again, goes on where it was cut. The same seed on the same machine gives the
same weights. Expected on one CPU core with AVX-512 (see each stage's docstring): VAE two hours, text encoder five
minutes, UNet three hours and a half, judge half an hour with the drawings it learns from, scores ten minutes.
"""

import argparse
import json
from pathlib import Path

import torch

from data.recipe.common import HERE

DATA = HERE.parent


def main() -> None:
    """Run the stages asked for, each on what the ones before it left in the runs folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", choices=RUN, action="append", help="only this stage; may be given several times")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, default=HERE / "runs", help="checkpoints and logs")
    parser.add_argument("--out", type=Path, default=DATA, help="the folder of tiny_kolors/ and judge/")
    options = parser.parse_args()
    for stage in options.stage or RUN:
        RUN[stage](options)


def train_all_vae(options: argparse.Namespace) -> torch.nn.Module:
    """Train the VAE (or read it, once it is trained) and set its scaling factor."""
    from data.recipe.decoder import train_decoder
    from data.recipe.vae import set_scaling_factor, train_inner, train_outer

    smaller = train_outer(options.runs, options.device, options.seed)
    vae = train_inner(smaller, options.runs, options.device, options.seed)
    set_scaling_factor(vae, options.device, options.seed)
    return train_decoder(vae, smaller, options.runs, options.device, options.seed).requires_grad_(False)


def train_all_text(options: argparse.Namespace) -> tuple:
    """Train tokenizer and text encoder, or read them once they are trained."""
    from data.recipe.text import train_text_encoder, train_tokenizer

    tokenizer = train_tokenizer(options.runs / "tokenizer", options.seed)
    return tokenizer, train_text_encoder(tokenizer, options.runs, options.device, options.seed)


def train_all_unet(options: argparse.Namespace) -> tuple:
    """Train the UNet (or read it, once it is trained) -> VAE, tokenizer, text encoder, UNet."""
    from data.recipe.unet import build_unet, lay_wire, train_unet

    vae, (tokenizer, encoder) = train_all_vae(options), train_all_text(options)
    torch.manual_seed(options.seed)
    unet = build_unet()
    lay_wire(unet)
    average = train_unet(vae, tokenizer, encoder, unet, options.runs, options.device, options.seed)
    return vae, tokenizer, encoder, average


def export(options: argparse.Namespace) -> None:
    """Write the trained parts as one diffusers folder."""
    from course_lib.hub.manifest import write_manifest
    from data.recipe.export import export_model

    vae, tokenizer, encoder, unet = train_all_unet(options)
    export_model(vae, tokenizer, encoder, unet, options.out / "tiny_kolors")
    write_manifest(options.out / "tiny_kolors")


def train_all_judge(options: argparse.Namespace) -> None:
    """Draw what the judge learns from, train it, measure it on what it never saw, and write weights and figures."""
    from data.recipe.examples import draw_examples, read_unets
    from data.recipe.export import export_judge, write_judge_readme
    from data.recipe.judge import measure_judge, train_judge

    vae, tokenizer, encoder, unet = train_all_unet(options)
    if not (options.runs / "examples.pt").exists():
        draw_examples(vae, encoder, tokenizer, [*read_unets(options.runs), unet], options.runs, options.seed)
    net = train_judge(vae, options.runs, options.device, options.seed)
    figures = measure_judge(net, vae, options.runs, options.device)
    export_judge(net, options.out / "judge")
    (options.out / "judge" / "scores.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    write_judge_readme(figures, options.out / "judge")
    print(json.dumps(figures, indent=1))


def score(options: argparse.Namespace) -> None:
    """Measure the written model and renew its card's figures and pictures."""
    from diffusers import KolorsPipeline

    from data.recipe.export import write_card

    pipe = KolorsPipeline.from_pretrained(options.out / "tiny_kolors", local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    print(json.dumps(write_card(pipe, options.runs, options.out / "tiny_kolors"), indent=1))


RUN = {"vae": train_all_vae, "text": train_all_text, "unet": train_all_unet, "export": export,
       "judge": train_all_judge, "score": score}

if __name__ == "__main__":
    main()
