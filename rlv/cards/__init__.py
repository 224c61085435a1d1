"""A trained reasoner as others use it: a folder of its own with a model card, here or on the hub.

The card is no part of the training's artifact: its results come later. Importing this loads no model library.
"""
