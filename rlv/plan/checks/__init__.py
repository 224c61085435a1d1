"""Checks of a study that its types cannot express, one module a subject."""
