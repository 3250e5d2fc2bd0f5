"""Captions: written from a rule, a table or a model, and edited by hand."""
