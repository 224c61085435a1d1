"""Every error that this project raises on purpose.

Each message names the file, the key path or row, what was found, and a remedy. For these errors, and for no
others, the command line prints only the message, without a traceback.
"""

from rlv.escapes import escaped

# The exit status of a `rlv make` that would fail in the same way again; sysexits.h calls it a data error.
IN_VAIN = 65


class RlvError(Exception):
    """Base of all errors that a user can act on. `status`: the exit status of a command that ends with it."""

    status = 1

    def __str__(self) -> str:
        """The message without control characters, since what it quotes may come from outside."""
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


class ServingError(RlvError):
    """A server that cannot be started as asked: its address, its limits, its key, or a library is missing."""


class LostRankError(RlvError):
    """A process of a run on several ranks that died; the others were ended, and the checkpoints stand."""


class StuckError(RlvError):
    """A job that was tried several times and came no further; another try would be in vain."""


class StoppedError(RlvError):
    """A run that was asked to stop and has saved its state; the same command goes on from there."""

    status = 75  # sysexits.h: a temporary failure, try again


def in_vain(error: BaseException | None) -> bool:
    """Whether another try is in vain: the study, its data, the model or the site must change first.

    Not if the error was raised from another one that may pass: a network, a disk or a driver may do better
    next time. A value that could not be read stays what it is, and so does a file that is no table.
    """
    lasting = (StudyError, DataError, SiteError, ModelError, StuckError)
    return isinstance(error, lasting) and not _may_pass(error.__cause__)


def _may_pass(cause: BaseException | None) -> bool:
    """Whether the cause of an error may be gone next time."""
    if cause is None:
        return False
    from polars.exceptions import PolarsError  # not for every command: it takes long to load

    if isinstance(cause, RlvError):
        return not in_vain(cause)
    if isinstance(cause, PolarsError):  # has the system's own errors as text
        return "(os error " in str(cause)
    # Libraries have errors that are both, such as that of a file that a network did not bring.
    return isinstance(cause, OSError) or not isinstance(cause, ValueError | TypeError | KeyError)
