"""A bucket keeps a picture's shape, at about the usual number of pixels and in sizes that the UNet can halve."""

import pytest

from course_lib.machine.configs import CONFIGS
from course_lib.model.latents import grid_of
from course_lib.pictures.buckets import GRID, choose_bucket, crop_loss

SIZE = (64, 64)


@pytest.mark.parametrize("picture, bucket", [
    ((640, 640), (64, 64)), ((512, 512), (64, 64)), ((960, 640), (80, 48)), ((640, 960), (48, 80)),
    ((128, 64), (80, 48)), ((300, 900), (32, 96)), ((2000, 500), (128, 32)), ((9000, 100), (128, 32))])
def test_a_bucket_has_the_pictures_shape_and_the_trainings_area(picture, bucket):
    found = choose_bucket(picture, SIZE, 16)
    assert found == bucket and found[0] % 16 == found[1] % 16 == 0
    assert 0.7 < found[0] * found[1] / 64**2 <= 1
    assert picture == (9000, 100) or crop_loss(picture, found) <= 0.21


def test_a_picture_on_its_side_gets_the_bucket_on_its_side():
    for long in range(64, 300, 7):
        assert choose_bucket((long, 64), SIZE, 16) == choose_bucket((64, long), SIZE, 16)[::-1]


def test_a_training_that_is_not_square_keeps_its_own_size_for_its_own_shape():
    assert choose_bucket((960, 640), (96, 64), 16) == (96, 64)


def test_what_is_cut_off_is_a_share():
    assert crop_loss((200, 100), (1, 1)) == crop_loss((100, 200), (1, 1)) == 0.5
    assert crop_loss((200, 100), (128, 64)) == 0


def test_the_grid_is_that_of_both_models(pipe):
    halvings = sum(len(CONFIGS[part]["block_out_channels"]) - 1 for part in ("unet", "vae"))
    assert grid_of(pipe) == 2**halvings == GRID
