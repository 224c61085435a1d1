"""Speed, measured side by side with peers: `python -m benchmarks.<name>` prints the figures."""
