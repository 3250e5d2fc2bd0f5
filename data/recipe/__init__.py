"""The recipe of Tiny Kolors: `python -m data.recipe` trains the VAE, the text encoder with the UNet, and the judge."""
