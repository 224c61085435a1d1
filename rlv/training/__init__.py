"""Training a reasoner, with or without the verification objective (paper, "The method").

`loop` is the algorithm on one page. The order of the data: `sources` (batches) -> `rollout` (solutions,
rewards, advantages) -> `batches` (micro-batches) -> `forward` (one pass over [x, y, I]) -> `losses` (the
joint objective) -> `update` -> `logbook` (steps, checkpoints). Nothing is imported here, so that a plan does
not load torch.
"""
