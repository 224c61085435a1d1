"""Every error this project raises on purpose.

Each message names the file, the key or row, what was found, and what would do. The command line
prints the message alone (no traceback) for these and for nothing else.
"""


class RlvError(Exception):
    """Base of all errors that a user can act on."""


class StudyError(RlvError):
    """A study file that cannot be used: unknown key, value out of range, dangling name."""


class DataError(RlvError):
    """A data set or table whose rows break their contract."""


class StoreError(RlvError):
    """The store cannot be read or written as asked."""


class DamagedArtifactError(StoreError):
    """A published artifact whose files no longer match its manifest."""


class ModelError(RlvError):
    """A model or tokenizer that cannot do what the study asks of it."""
