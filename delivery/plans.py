"""What a user's instructions say about one message to them, found out before anything is done.

An address is controlled by the first of these that is there:

1. ``.qmail`` files in the home, in the order of ``delivery.search``;
2. for the user's own address, the places of ``.forward`` files;
3. for the user's own address, nothing: the maildrop. For an extension that is a refusal, unless the settings say that
   unclaimed extensions go to the maildrop, too.

An empty ``.qmail`` file and a ``.forward`` without entries mean the maildrop, too. Where the settings name a default
delivery, that is meant instead of the maildrop (aliasempty; qmail-local).
"""

from __future__ import annotations

from dataclasses import dataclass

from delivery.destinations import Forward, Instruction, OwnMaildrop, Program
from delivery.dot_forward import Owner, parse_dot_forward
from delivery.dot_qmail import parse_dot_qmail
from delivery.environment import Recipient
from delivery.errors import InstructionsError, NoInstructionsError
from delivery.home_files import HomeFiles, InstructionFile
from delivery.owners import forwarding_sender
from delivery.search import candidates
from delivery.settings import DeliverySettings

_MAILDROP = (Instruction(0, OwnMaildrop()),)
_DEFAULT_DELIVERY = "[delivery] default_delivery"


@dataclass(frozen=True, slots=True)
class Plan:
    """What shall become of a message.

    Attributes:
        file: the instruction file, as it was named to us, or the setting; None where neither says anything.
        instructions: in their order; none throw the message away.
        default: what ``default`` in the file's name stands for, None if that name has none.
        new_sender: as whom forwards are sent, None for the null sender.
    """

    file: str | None
    instructions: tuple[Instruction, ...]
    default: str | None
    new_sender: str | None

    @property
    def runs_programs(self) -> bool:
        """Whether a program gets the message."""
        return any(isinstance(each.destination, Program) for each in self.instructions)

    @property
    def forwards(self) -> bool:
        """Whether the message is handed over to go elsewhere."""
        return any(isinstance(each.destination, Forward) for each in self.instructions)

    def place(self, instruction: Instruction) -> str:
        """Say where an instruction stands, for a log."""
        if self.file is None:
            return "by default"
        return f"{self.file}: line {instruction.line}" if instruction.line else self.file


def make_plan(recipient: Recipient, sender: str | None, files: HomeFiles, settings: DeliverySettings) -> Plan:
    """Find out who or what gets a message.

    Args:
        recipient: to whom.
        sender: of the envelope, None for the null sender.
        files: of the recipient's home.
        settings: of the delivery agent.

    Raises:
        InstructionsError: a file is wrong or unsafe; its owner can mend it.
        NoInstructionsError: nobody wants the address.
        HomeUnavailableError: a file cannot be read now.
    """
    if settings.dot_qmail:
        for candidate in candidates(recipient.dash, recipient.extension):
            if (file := files.read(candidate.name)) is not None:
                new_sender = forwarding_sender(recipient, sender, exists=files.exists)
                if not file.text:
                    return _default(settings, f"{recipient.home}/{file.name}", candidate.default, new_sender)
                instructions = _dot_qmail(recipient, file)
                return Plan(f"{recipient.home}/{file.name}", instructions, candidate.default, new_sender)
    if not recipient.dash:
        for template in settings.dot_forward:
            if plan := _dot_forward(recipient, sender, template, files, settings):
                return plan
    elif settings.unclaimed_extensions == "refuse":
        raise NoInstructionsError(f"{recipient.user}: no instructions for the extension {recipient.extension!r}")
    return _default(settings, None, None, sender)


def _default(settings: DeliverySettings, file: str | None, default: str | None, new_sender: str | None) -> Plan:
    if not settings.default_delivery:
        return Plan(file, _MAILDROP, default, new_sender)
    return Plan(_DEFAULT_DELIVERY, parse_dot_qmail(settings.default_delivery.encode()), default, new_sender)


def _dot_qmail(recipient: Recipient, file: InstructionFile) -> tuple[Instruction, ...]:
    try:
        return parse_dot_qmail(file.text, addresses_only=file.executable)
    except InstructionsError as error:
        raise InstructionsError(f"{recipient.home}/{file.name}: {error}") from error


def _dot_forward(
    recipient: Recipient, sender: str | None, template: str, files: HomeFiles, settings: DeliverySettings
) -> Plan | None:
    path = template.format_map({"home": str(recipient.home), "user": recipient.user.text, "domain": recipient.domain})
    file = files.read(path) if template.startswith("{home}/") else files.read_central(path)
    if file is None:
        return None
    owner = Owner(recipient.user, recipient.domain)
    try:
        instructions = parse_dot_forward(file.text, owner, include=lambda included: _included(included, files))
    except InstructionsError as error:
        raise InstructionsError(f"{path}: {error}") from error
    return Plan(path, instructions, None, sender) if instructions else _default(settings, path, None, sender)


def _included(path: str, files: HomeFiles) -> bytes:
    file = files.read(path)
    if file is None:
        raise InstructionsError(f"{path}: no such file")
    return file.text
