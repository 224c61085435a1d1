"""Solutions from a reasoner: the interface (engine), one engine (transformers_engine), its shards.

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
