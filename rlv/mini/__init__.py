"""The embedded default: a task, a tokenizer and a base model small enough for a laptop."""
