"""From tables to tables: votes, curves, efficiency, claims. Imports neither torch nor transformers."""
