"""Training a reasoner, with or without the verification objective (paper, "The method").

The order of the data: `rollout` (solutions, rewards, advantages) -> `batches` (micro-batches) -> `forward`
(one pass over [x, y, I]) -> `losses` (the joint objective) -> `update` -> `loop` (DeepSpeed, checkpoints).
Nothing is imported here, so that a plan or a figure does not load torch.
"""
