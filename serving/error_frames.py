"""Errors on their way from one process to another: a frame that becomes an exception of the same class again.

``{"error": class name, "text": …, "public": …, "status": [class, subject, detail]}``: what strangers may read goes
along, since some errors have it from a program or another server, and not from their class.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Final

from serving.channel import ChannelError, Frame
from spool.errors import EnhancedStatus, SpoolError

_TEXT_MAX: Final = 4000  # characters; what a program printed is cut before it gets here


def known_errors(*modules: ModuleType) -> Mapping[str, type[SpoolError]]:
    """Return the errors that are found in modules, by the names of their classes."""
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, SpoolError)
    }


def error_frame(error: SpoolError) -> Frame:
    """Make a frame of an error."""
    status = error.status
    return Frame(
        {
            "error": type(error).__name__,
            "text": str(error)[:_TEXT_MAX],
            "public": error.public_text[:_TEXT_MAX],
            "status": [status.class_, status.subject, status.detail],
        }
    )


def error_of(frame: Frame, known: Mapping[str, type[SpoolError]]) -> SpoolError:
    """Make the error of a frame again; one of a class that is not known becomes a SpoolError.

    Raises:
        ChannelError: the frame holds none.
    """
    match frame.message:
        case {
            "error": str(name),
            "text": str(text),
            "public": str(public),
            "status": [4 | 5 as class_, int(subject), int(detail)],
        }:
            error = known.get(name, SpoolError)(text[:_TEXT_MAX])
            error.public_text = public[:_TEXT_MAX]
            error.status = EnhancedStatus(class_, subject, detail)
            return error
        case _:
            raise ChannelError("not an error")
