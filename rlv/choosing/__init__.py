"""Choices on training problems: the temperature of a reasoner. None sees a problem of an evaluation."""
