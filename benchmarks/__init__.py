"""What is fast, measured side by side with its peers: `python -m benchmarks.<name>` prints the figures."""
