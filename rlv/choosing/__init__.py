"""Choices on training problems: a temperature, a confidence, a vote. None sees what is evaluated."""

# A confidence is chosen by weighted voting with so many solutions, those of most claims.
VOTERS = 8
