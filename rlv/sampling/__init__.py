"""Solutions from a reasoner. `engine` says what an engine is, `transformers_engine` is one, `shards` cuts the work.

Nothing is imported here beyond the records, so that planning a study does not load torch.
"""

from rlv.sampling.engine import Engine, Request, Sampled, SamplingParams, request_seed
from rlv.sampling.shards import Shard, sample_shard, shard_ranges

__all__ = [
    "Engine",
    "Request",
    "Sampled",
    "SamplingParams",
    "Shard",
    "request_seed",
    "sample_shard",
    "shard_ranges",
]
