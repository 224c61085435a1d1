"""RL^V: reasoners that verify themselves, trained, searched and judged as one workflow."""

__version__ = "0.1.0"
