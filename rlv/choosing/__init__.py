"""Choices on training problems: a reasoner's temperature, a confidence. None sees what is evaluated."""

# A confidence is chosen by weighted voting with so many solutions, those of most claims.
VOTERS = 8
