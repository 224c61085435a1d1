"""What libraries log and warn about, without control characters: a configuration may have them in any value.

transformers, torch and vLLM quote values of a model's files in log lines and warnings, each by a handler
of its own. What all of them send passes here first, and looks as rlv's own lines do (escapes.py). Left out:
processes that a library starts itself.
"""

from __future__ import annotations

import logging
import warnings
from typing import Any

from rlv.escapes import escaped


def escape_logs() -> None:
    """Escape every log record and every warning of this process from now on; twice is as good as once."""
    made, formatted = logging.getLogRecordFactory(), warnings.formatwarning
    if getattr(made, "escapes", False):
        return

    def record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        found = made(*args, **kwargs)
        try:
            found.msg, found.args = escaped(found.getMessage(), lines=True), ()
        except (TypeError, ValueError, KeyError):  # the library's own mistake, which logging reports
            return found
        if found.exc_info and found.exc_info[0] is not None:
            found.exc_text = escaped(logging.Formatter().formatException(found.exc_info), lines=True)
        return found

    def warning(*args: Any, **kwargs: Any) -> str:
        return escaped(formatted(*args, **kwargs), lines=True)

    record.escapes = True  # pyright: ignore[reportFunctionMemberAccess]
    logging.setLogRecordFactory(record)
    warnings.formatwarning = warning
