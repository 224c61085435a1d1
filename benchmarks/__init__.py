"""Measurements: speed side by side with peers, and `fidelity`. `python -m benchmarks.<name>` prints them."""
