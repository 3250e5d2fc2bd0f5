"""In which shape a picture is trained: buckets of about the usual number of pixels, so that little is cut off."""

import math

MOST_ASPECT = 4.0  # one side of a bucket at most so many times the other, as SDXL's (Podell et al. 2023, appendix I)
GRID = 32  # px that a bucket's sides are multiples of: 8 of the VAE x 4, for the UNet halves twice


def choose_bucket(picture: tuple[int, int], size: tuple[int, int], grid: int) -> tuple[int, int]:
    """Return the width and height nearest to a picture's shape, of at most as many pixels as `size` (NovelAI 2022).

    Both are multiples of `grid` px: what the VAE and the UNet together make smaller.
    """
    width, height = size
    sizes = {size}
    for side in range(grid, round((width * height * MOST_ASPECT) ** 0.5) + 1, grid):
        other = width * height // side // grid * grid
        if other and max(side / other, other / side) <= MOST_ASPECT:
            sizes |= {(side, other), (other, side)}
    return min(sorted(sizes), key=lambda each: abs(math.log(each[0] / each[1] * picture[1] / picture[0])))


def crop_loss(picture: tuple[int, int], bucket: tuple[int, int]) -> float:
    """Return the share of a picture that is cut off to give it the shape of a bucket, 0 to 1."""
    ratio = (picture[0] / picture[1]) / (bucket[0] / bucket[1])
    return 1 - min(ratio, 1 / ratio)
