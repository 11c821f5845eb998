"""What goes wrong with a command."""

from __future__ import annotations

from mta.smtp.replies import Reply


class CommandError(Exception):
    """A command cannot be carried out; ``reply`` is the answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.code} {reply.text}")
        self.reply = reply
