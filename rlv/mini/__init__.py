"""The embedded default: two tasks, a tokenizer and base models small enough for a laptop."""
