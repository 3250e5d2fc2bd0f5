"""Train Tiny Kolors and its judge again, with one command, from the pictures in data/emoji.

    python -m data.recipe                    # everything, on the CPU; --device cuda on a GPU
    python -m data.recipe --stage score      # only measure the shipped model again
    python -m data.recipe --from-shipped --steps 6000 --stage unet --stage export --stage score
                                             # train the shipped UNet and text encoder for longer

Every stage saves as it goes and, started again, goes on where it was cut. The same seed on the same machine gives the
same weights. Expected on 2 quiet CPU cores (see each stage's docstring): VAE 40 minutes (error 0.05), judge
5 minutes, UNet and text encoder four hours (loss 0.14), scores 5 minutes.
"""

import argparse
import json
from pathlib import Path

import torch

from data.recipe.common import HERE

DATA = HERE.parent
STAGES = ("vae", "judge", "unet", "export", "score")


def main() -> None:
    """Run the stages asked for, each on what the ones before it left in the runs folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", choices=STAGES, action="append", help="only this stage; may be given several times")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, default=HERE / "runs", help="checkpoints and logs")
    parser.add_argument("--out", type=Path, default=DATA, help="the folder of tiny_kolors/ and judge/")
    parser.add_argument("--from-shipped", action="store_true", help="start from the shipped weights, not from nothing")
    parser.add_argument("--steps", type=int, help="steps of the UNet's training, instead of the recipe's")
    options = parser.parse_args()
    for stage in options.stage or STAGES:
        RUN[stage](options)


def train_all_vae(options: argparse.Namespace) -> torch.nn.Module:
    """Train the VAE (or read it, once it is trained) and set its scaling factor; renew the one it started from."""
    from course_lib.hub.manifest import write_manifest
    from data.recipe.export import forget_origin
    from data.recipe.vae import set_scaling_factor, train_vae

    shipped = read_vae(options) if options.from_shipped else None
    vae = train_vae(options.runs, options.device, options.seed, shipped=shipped)
    set_scaling_factor(vae, options.device, options.seed)
    if options.from_shipped:
        vae.save_pretrained(options.out / "tiny_kolors" / "vae")
        forget_origin(options.out / "tiny_kolors" / "vae")
        write_manifest(options.out / "tiny_kolors")
    return vae.requires_grad_(False)


def read_vae(options: argparse.Namespace) -> torch.nn.Module:
    """Read the shipped VAE, or train one where training is to start from nothing."""
    from diffusers import AutoencoderKL

    if not options.from_shipped:
        return train_all_vae(options)
    return AutoencoderKL.from_pretrained(options.out / "tiny_kolors" / "vae", local_files_only=True).to(options.device)


def train_all_judge(options: argparse.Namespace) -> None:
    """Train the judge, measure it on what it never saw, and write weights and figures."""
    from data.recipe.export import export_judge, write_judge_readme
    from data.recipe.judge import measure_judge, train_judge

    vae = read_vae(options).requires_grad_(False)
    net = train_judge(vae, options.runs, options.device, options.seed)
    figures = measure_judge(net, vae, options.device)
    export_judge(net, options.out / "judge")
    (options.out / "judge" / "scores.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    write_judge_readme(figures, options.out / "judge")
    print(json.dumps(figures, indent=1))


def train_all_unet(options: argparse.Namespace) -> tuple:
    """Train UNet and text encoder (or read them, once they are trained) -> VAE, tokenizer, both models."""
    from diffusers import KolorsPipeline

    from data.recipe.text import build_text_encoder, train_tokenizer
    from data.recipe.unet import LATER_RATE, LEARNING_RATE, STEPS, build_unet, train_unet

    if options.from_shipped:  # with the VAE as it is now, which the stage vae may have trained on
        pipe = KolorsPipeline.from_pretrained(options.out / "tiny_kolors", local_files_only=True)
        vae, tokenizer, encoder, unet = pipe.vae.to(options.device), pipe.tokenizer, pipe.text_encoder, pipe.unet
    else:
        vae = train_all_vae(options)
        tokenizer = train_tokenizer(options.runs / "tokenizer", options.seed)
        torch.manual_seed(options.seed)
        encoder, unet = build_text_encoder(tokenizer), build_unet()
    return vae, tokenizer, train_unet(vae, tokenizer, encoder, unet, options.runs, options.device, options.seed,
                                      options.steps or STEPS, LATER_RATE if options.from_shipped else LEARNING_RATE)


def export(options: argparse.Namespace) -> None:
    """Write the trained parts as one diffusers folder."""
    from course_lib.hub.manifest import write_manifest
    from data.recipe.export import export_model

    export_model(*train_all_unet(options), options.out / "tiny_kolors")
    write_manifest(options.out / "tiny_kolors")


def score(options: argparse.Namespace) -> None:
    """Measure the written model and renew its card's figures and pictures."""
    from diffusers import KolorsPipeline

    from data.recipe.export import write_card

    pipe = KolorsPipeline.from_pretrained(options.out / "tiny_kolors", local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    print(json.dumps(write_card(pipe, options.runs, options.out / "tiny_kolors"), indent=1))


RUN = {"vae": train_all_vae, "judge": train_all_judge, "unet": train_all_unet, "export": export, "score": score}

if __name__ == "__main__":
    main()
