"""A page on which anybody can draw with this LoRA: `python app.py`. It needs this folder alone and no network.

The course wrote it; change it as you like. about.json holds the title, the trigger word and the examples.
"""

import json
from pathlib import Path

import gradio as gr
import torch
from diffusers import KolorsPipeline
from PIL import Image

HERE = Path(__file__).parent
ABOUT = json.loads((HERE / "about.json").read_text(encoding="utf-8"))
MOST_LETTERS = 500  # of a prompt
MOST_SEED = 2**53 - 1  # a browser holds whole numbers exactly up to here
MOST_STEPS, MOST_CFG, MOST_STRENGTH = 50, 20, 2
SHOWN = 512  # px, about the width of a picture on the page
LORA = "style"


def load_model() -> KolorsPipeline:
    """Open the model and the LoRA that lie beside this file."""
    pipe = KolorsPipeline.from_pretrained(HERE / "model", local_files_only=True)
    pipe.load_lora_weights(HERE, weight_name="lora.safetensors", adapter_name=LORA, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe


PIPE = load_model()


def read_number(name: str, value: object, least: float, most: float, kind: type = float) -> float:
    """Return a number that came from the page, within its bounds; gr.Error for anything else."""
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or not least <= number <= most:
        raise gr.Error(f"{name}：请填 {least} 到 {most} 之间的数。/ Give a number from {least} to {most}.")
    return number


def read_words(name: str, words: object, needed: bool = False) -> str:
    """Return a text that came from the page; gr.Error for none where it is needed, and for one that is too long."""
    words = (words or "").strip() if isinstance(words, str | None) else ""
    if needed and not words:
        raise gr.Error(f"{name}：请写一句话。/ Write some words.")
    if len(words) > MOST_LETTERS:
        raise gr.Error(f"{name}：最多 {MOST_LETTERS} 个字，这里有 {len(words)} 个。/ At most {MOST_LETTERS} letters; "
                       f"there are {len(words)}.")
    return words


def draw(prompt: str, negative_prompt: str, seed: float, steps: float, cfg: float, strength: float) -> Image.Image:
    """Draw one picture; the page's queue lets one request in at a time."""
    prompt, negative_prompt = read_words("提示词", prompt, needed=True), read_words("负面提示词", negative_prompt)
    seed = read_number("seed", seed, 0, MOST_SEED, int)
    steps = read_number("steps", steps, 1, MOST_STEPS, int)
    cfg = read_number("cfg", cfg, 0, MOST_CFG)
    PIPE.set_adapters(LORA, read_number("LoRA", strength, 0, MOST_STRENGTH))
    generator = torch.Generator("cpu").manual_seed(seed)
    picture = PIPE(prompt, negative_prompt=negative_prompt, num_inference_steps=steps, guidance_scale=cfg,
                   generator=generator).images[0]
    times = max(1, SHOWN // max(picture.size))
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


def build_page() -> gr.Blocks:
    """Lay out the page."""
    with gr.Blocks(title=ABOUT["title"]) as page:
        gr.Markdown(f"# {ABOUT['title']}\n\n{ABOUT['words']}")
        with gr.Row():
            with gr.Column():
                prompt = gr.Textbox(label="提示词 / Prompt", value=ABOUT["examples"][0], max_length=MOST_LETTERS)
                negative = gr.Textbox(label="负面提示词 / Negative prompt", max_length=MOST_LETTERS)
                seed = gr.Number(label="seed", value=1, precision=0, minimum=0, maximum=MOST_SEED)
                steps = gr.Slider(1, MOST_STEPS, 20, step=1, label="steps")
                cfg = gr.Slider(0, MOST_CFG, 7, step=0.5, label="cfg")
                strength = gr.Slider(0, MOST_STRENGTH, 1, step=0.05, label="LoRA 强度 / strength")
                button = gr.Button("画 / Draw", variant="primary")
            picture = gr.Image(label="图 / Picture", format="png")
        inputs = [prompt, negative, seed, steps, cfg, strength]
        button.click(draw, inputs, picture, api_name="draw")
        prompt.submit(draw, inputs, picture, api_name=False)
        gr.Examples([[words] for words in ABOUT["examples"]], [prompt])
    return page


if __name__ == "__main__":
    # Gradio itself listens to this machine alone, unless GRADIO_SERVER_NAME says otherwise, as a Studio's does.
    build_page().queue(max_size=20, default_concurrency_limit=1).launch(show_error=True)
