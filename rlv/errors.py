"""Every error this project raises on purpose.

Each message names the file, the key or row, what was found, and what would do. The command line
prints the message alone (no traceback) for these and for nothing else.
"""

from rlv.outside.escapes import escaped

# The exit status of a `rlv make` that would fail in the same way again; sysexits.h calls it a data error.
IN_VAIN = 65


class RlvError(Exception):
    """Base of all errors that a user can act on. `status`: what a command that ends with it exits with."""

    status = 1

    def __str__(self) -> str:
        """The message. What it quotes may come from outside, so no control character is in it."""
        return escaped(super().__str__(), lines=True)


class StudyError(RlvError):
    """A study file that cannot be used: unknown key, value out of range, dangling name."""


class DataError(RlvError):
    """A data set or table whose rows break their contract."""


class StoreError(RlvError):
    """The store cannot be read or written as asked."""


class DamagedArtifactError(StoreError):
    """A published artifact whose files no longer match its manifest."""


class SiteError(RlvError):
    """A cluster that does not have what its site file or a job asks for, or does not answer."""


class ModelError(RlvError):
    """A model or tokenizer that cannot do what the study asks of it."""


class LostRankError(RlvError):
    """A process of a run on several ranks that died; the others were ended, and the checkpoints stand."""


class StuckError(RlvError):
    """A job that was tried again and again and came no further; trying once more would be in vain."""


class StoppedError(RlvError):
    """A run that was asked to stop and has saved where it stood; the same command goes on from there."""

    status = 75  # sysexits.h: a temporary failure, try again


def in_vain(error: BaseException | None) -> bool:
    """Whether to try again is in vain: the study, its data, the model or the site must change first.

    Not if the error was raised from another one that may pass: a network, a disk or a driver may do better
    next time. A value that could not be read stays what it is, and so does a file that is no table.
    """
    lasting = (StudyError, DataError, SiteError, ModelError, StuckError)
    return isinstance(error, lasting) and not _may_pass(error.__cause__)


def _may_pass(cause: BaseException | None) -> bool:
    """Whether what an error was raised from may be otherwise next time."""
    if cause is None:
        return False
    from polars.exceptions import PolarsError  # not for every command: it takes long to load

    if isinstance(cause, RlvError):
        return not in_vain(cause)
    if isinstance(cause, PolarsError):  # has the system's own errors as text
        return "(os error " in str(cause)
    # Libraries have errors that are both: of a file that a network did not bring, say.
    return isinstance(cause, OSError) or not isinstance(cause, ValueError | TypeError | KeyError)
