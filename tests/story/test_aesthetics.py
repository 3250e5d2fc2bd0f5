"""The contest's predictor, on the way of the real one: a small CLIP of random weights, from a hub on this machine."""

import json

import pytest
import torch
from loopback_hub import environment, running_hub
from PIL import Image
from safetensors.torch import save, save_file
from torch.nn import functional as F
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

from course_lib.hub import repository
from course_lib.messages import LessonError
from course_lib.story.aesthetics import open_aesthetics

WIDTHS = (16, 24, 12, 8, 4, 1)
NUMBERS = (0, 2, 4, 6, 7)  # of the linear layers, dropouts between them, as in the real file
PICTURES = [Image.linear_gradient("L").convert("RGB"), Image.new("RGB", (70, 40), "red"), Image.new("RGB", (9, 9))]


@pytest.fixture(scope="module")
def parts():
    """Return config, preprocessor's config, CLIP, and all tensors of a small predictor."""
    torch.manual_seed(3)
    config = CLIPVisionConfig(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                              image_size=32, patch_size=8, projection_dim=16)
    clip = CLIPVisionModelWithProjection(config).eval()
    tensors = dict(clip.state_dict())
    tensors["vision_model.embeddings.position_ids"] = torch.arange(17)[None]  # older files hold it
    for number, low, high in zip(NUMBERS, WIDTHS, WIDTHS[1:]):
        tensors |= {f"layers.{number}.weight": torch.randn(high, low), f"layers.{number}.bias": torch.randn(high)}
    table = {**config.to_dict(), "architectures": ["AestheticsPredictorV2Linear"], "auto_map": {"AutoModel": "x.Y"}}
    wishes = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}, "resample": 3,
              "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28], "image_processor_type": "X"}
    return table, wishes, clip, tensors


def write(folder, parts, **changes):
    table, wishes, _, tensors = parts
    (folder / "config.json").write_text(json.dumps({**table, **changes}, default=str))
    (folder / "preprocessor_config.json").write_text(json.dumps(wishes))
    save_file(tensors, folder / "model.safetensors")
    return folder


def expected(parts):
    """Compute the scores step by step."""
    _, wishes, clip, tensors = parts
    ready = CLIPImageProcessor(**{key: value for key, value in wishes.items() if key != "image_processor_type"})
    with torch.no_grad():
        x = F.normalize(clip(**ready(PICTURES, return_tensors="pt")).image_embeds, dim=-1)
        for number in NUMBERS:
            x = x @ tensors[f"layers.{number}.weight"].T + tensors[f"layers.{number}.bias"]
    return x[:, 0].tolist()


def test_scores_are_those_of_each_step_by_hand(tmp_path, parts):
    predictor = open_aesthetics(write(tmp_path, parts))
    scores = predictor.score(PICTURES)
    assert scores == pytest.approx(expected(parts), abs=1e-4) and len(set(scores)) == 3
    assert predictor.score(PICTURES * 4)[9:] == pytest.approx(scores, abs=1e-4)  # more than one batch


def test_a_pickle_gives_the_same_and_runs_nothing(tmp_path, parts):
    write(tmp_path, parts)
    (tmp_path / "model.safetensors").unlink()
    torch.save(parts[3], tmp_path / "pytorch_model.bin")
    assert open_aesthetics(tmp_path).score(PICTURES) == pytest.approx(expected(parts), abs=1e-4)

    class Evil:
        def __reduce__(self):
            return (tmp_path / "ran").touch, ()

    torch.save({"a": Evil()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(LessonError, match="美学"):
        open_aesthetics(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_it_is_fetched_from_the_hub(tmp_path, parts, monkeypatch):
    table, wishes, _, tensors = parts
    files = {"config.json": json.dumps(table, default=str).encode(),
             "preprocessor_config.json": json.dumps(wishes).encode(),
             "model.safetensors": save(tensors), "modeling_v2.py": b"raise SystemExit"}
    with running_hub({("models", repository.NAMES["aesthetics"].name): files}) as server:
        for name, value in {**environment(tmp_path), "MODELSCOPE_ENDPOINT": server.address}.items():
            monkeypatch.setenv(name, value)
        assert open_aesthetics().score(PICTURES) == pytest.approx(expected(parts), abs=1e-4)
        assert not server.asked_for("modeling_v2.py")
        open_aesthetics()
        assert len(server.asked_for("model.safetensors")) == 1


@pytest.mark.parametrize("spoil", [
    lambda folder, parts: (folder / "model.safetensors").unlink(),
    lambda folder, parts: (folder / "model.safetensors").write_bytes(b"short"),
    lambda folder, parts: (folder / "config.json").write_text("[]"),
    lambda folder, parts: (folder / "preprocessor_config.json").unlink(),
    lambda folder, parts: write(folder, parts, hidden_size=64),
    lambda folder, parts: write(folder, parts, num_hidden_layers=10**9),
    lambda folder, parts: write(folder, parts, image_size="x"),
    lambda folder, parts: save_file({name: value for name, value in parts[3].items() if "layers.7" not in name},
                                    folder / "model.safetensors"),
    lambda folder, parts: save_file({name: value for name, value in parts[3].items() if "layers." not in name},
                                    folder / "model.safetensors"),
])
def test_a_broken_predictor_is_answered(tmp_path, parts, spoil):
    spoil(write(tmp_path, parts), parts)
    with pytest.raises(LessonError):
        open_aesthetics(tmp_path)
