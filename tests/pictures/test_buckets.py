"""A bucket keeps a picture's shape, at about the usual number of pixels and in sizes that the UNet can halve."""

import pytest

from course_lib.machine.configs import CONFIGS
from course_lib.model.latents import grid_of
from course_lib.pictures.buckets import GRID, choose_bucket, crop_loss
from course_lib.pictures.emoji import PICTURE_SIZE

SIZE = (128, 128)
TINY = (PICTURE_SIZE, PICTURE_SIZE)


@pytest.mark.parametrize("picture, bucket", [
    ((640, 640), (128, 128)), ((512, 512), (128, 128)), ((960, 640), (160, 96)), ((640, 960), (96, 160)),
    ((128, 64), (160, 96)), ((300, 900), (64, 192)), ((2000, 500), (256, 64)), ((9000, 100), (256, 64))])
def test_a_bucket_has_the_pictures_shape_and_the_trainings_area(picture, bucket):
    found = choose_bucket(picture, SIZE, GRID)
    assert found == bucket and found[0] % GRID == found[1] % GRID == 0
    assert 0.7 < found[0] * found[1] / 128**2 <= 1
    assert picture == (9000, 100) or crop_loss(picture, found) <= 0.21


@pytest.mark.parametrize("picture, bucket", [
    ((640, 640), TINY), ((640, 480), TINY), ((960, 640), (128, 64)), ((640, 960), (64, 128)), ((2000, 500), (128, 64))])
def test_tiny_kolors_has_three_buckets(picture, bucket):
    assert choose_bucket(picture, TINY, GRID) == bucket


def test_a_picture_on_its_side_gets_the_bucket_on_its_side():
    for long in range(128, 600, 13):
        assert choose_bucket((long, 128), SIZE, GRID) == choose_bucket((128, long), SIZE, GRID)[::-1]


def test_a_training_that_is_not_square_keeps_its_own_size_for_its_own_shape():
    assert choose_bucket((960, 640), (192, 128), GRID) == (192, 128)


def test_what_is_cut_off_is_a_share():
    assert crop_loss((200, 100), (1, 1)) == crop_loss((100, 200), (1, 1)) == 0.5
    assert crop_loss((200, 100), (128, 64)) == 0


def test_the_grid_is_that_of_both_models(pipe):
    halvings = sum(len(CONFIGS[part]["block_out_channels"]) - 1 for part in ("unet", "vae"))
    assert grid_of(pipe) == 2**halvings == GRID
