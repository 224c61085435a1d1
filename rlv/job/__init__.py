"""What a stage receives and may use: its job, this machine, progress, and signals that ask it to stop."""

from rlv.job.job import Job, Stage

__all__ = ["Job", "Stage"]
