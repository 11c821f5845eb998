"""Delivering to an account, in a process that is the recipient already: what their instructions say is done.

Whose mail it is was found out before (``delivery.resolver``), and nothing in the recipient's home is opened earlier.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import NoReturn

from delivery.engine import Attempt, Means, Report, Run, check_possible, deliver
from delivery.environment import Recipient, own_variables
from delivery.errors import ProgramDeferredError
from delivery.explanation import explain
from delivery.headers import added_lines
from delivery.home_files import HomeFiles
from delivery.messages import Message, standard_input
from delivery.next_hop import next_hop
from delivery.places import Places
from delivery.plans import Plan, make_plan
from delivery.program_keeper import ProgramLimits
from delivery.program_shares import ProgramShare
from delivery.programs import SHELL, Ended, run_program
from delivery.resolver import Account
from delivery.settings import DeliverySettings
from spool import durable
from spool.errors import SpoolError
from spool.homes import opened_home
from spool.settings import SpoolSettings
from spool.site import Site


def without_slot(_: Account) -> AbstractContextManager[None]:
    """Nobody counts: whoever starts this process for a message has limits of their own."""
    return contextlib.nullcontext()


def no_slot_in_dotlock_group(_: Account) -> NoReturn:
    """``program_slot`` of a process that became its user with the group of ``[spool] dotlock_group``.

    What it starts has that group, too, which only root could take away, and in ``/var/mail`` the group may open
    everybody's mailbox.

    Raises:
        ProgramDeferredError: always.
    """
    raise ProgramDeferredError(
        "no user's program is run with the group of [spool] dotlock_group: it opens all mailboxes"
    )


def _anything(_: Plan) -> None:
    """Whatever a plan says may be done here."""


class DeliveryAgent:
    """Delivers on one site. Safe for threads.

    Args:
        site: the site.
        spool: its settings.
        delivery: its settings.
        has_own_uid: whether the kernel keeps the user of this uid apart from the others. For those it does not, no link
            may lead out of their home, and their programs are run by ``programs_elsewhere`` or not at all.
        program_slot: what the programs of one delivery are held within, where they run in this process; raises a
            ProgramDeferredError where there is none, and sees one where a program has failed.
        programs_elsewhere: takes a slot, and gives what runs programs as somebody who can read no mail.
        may_begin: asked before the first line is followed; raises a SpoolError for a plan that is not for this agent.
    """

    def __init__(
        self,
        site: Site,
        spool: SpoolSettings,
        delivery: DeliverySettings,
        *,
        has_own_uid: Callable[[int], bool],
        program_slot: Callable[[Account], AbstractContextManager[None]] = without_slot,
        programs_elsewhere: Callable[[Account], AbstractContextManager[Run]] | None = None,
        may_begin: Callable[[Plan], None] = _anything,
    ) -> None:
        self._site = site
        self._spool = spool
        self._delivery = delivery
        self._next_hop = next_hop(delivery)
        self._has_own_uid = has_own_uid
        self._program_slot = program_slot
        self._programs_elsewhere = programs_elsewhere
        self._may_begin = may_begin

    def check(self, account: Account, sender: str | None) -> None:
        """See, as the recipient, whether a message could be delivered to them now.

        Raises:
            SpoolError: it could not.
        """
        with self._prepared(account, sender) as (_, plan, means):
            check_possible(plan, means)

    def deliver(self, account: Account, sender: str | None, message: Message, *, held: Run | None = None) -> Report:
        """Deliver a message, as the recipient.

        Holds when it returns (``delivery.engine.deliver``).

        Args:
            account: whom to.
            sender: the envelope sender, None for the null sender.
            message: the message.
            held: what ``programs_elsewhere`` would give, where its slot is held already.

        Raises:
            SpoolError: it was not delivered; its status says whether to try again.
        """
        with self._prepared(account, sender, held) as (recipient, plan, means):
            self._may_begin(plan)
            lines = added_lines(recipient.address, sender, time.time())
            return deliver(Attempt(message, recipient, sender, plan, lines, self._delivery.added_fields), means)

    def explain(self, account: Account, sender: str | None) -> Iterator[str]:
        """Yield what would be done with a message, as the recipient and as text for a person.

        Where the instructions are right, and something else keeps mail from being delivered, the last line says so.

        Raises:
            SpoolError: it would not be delivered.
        """
        with self._prepared(account, sender) as (recipient, plan, means):
            yield from explain(recipient, account.wildcard, plan)
            try:
                check_possible(plan, means)
            except SpoolError as error:
                yield f"not delivered now: {error.status} {error}"

    @contextlib.contextmanager
    def _prepared(
        self, account: Account, sender: str | None, held: Run | None = None
    ) -> Iterator[tuple[Recipient, Plan, Means]]:
        """Open the home, wherever it was moved to since the assignment was read, and find out what is to be done."""
        uid = account.recipient.uid
        with opened_home(account.recipient.home, uid, moved_below=self._spool.root) as (descriptor, home):
            recipient = dataclasses.replace(account.recipient, home=home)
            own_uid = self._has_own_uid(uid)
            files = HomeFiles(home, descriptor, follow_links=own_uid)
            plan = make_plan(recipient, sender, files, self._delivery)
            places = Places(recipient, descriptor, self._spool, limit=account.limit, follow_links=own_uid)
            with contextlib.closing(places):
                yield (
                    recipient,
                    plan,
                    Means(
                        mailbox=places.open,
                        programs=self._programs(account, descriptor, held, own_uid=own_uid),
                        forwarder=self._next_hop,
                    ),
                )

    def _programs(
        self, account: Account, home: int, held: Run | None, *, own_uid: bool
    ) -> Callable[[], AbstractContextManager[Run]] | None:
        if not self._delivery.programs:
            return None
        if own_uid:
            return partial(self._as_ourselves, account, home)
        if held is not None:
            return lambda: contextlib.nullcontext(held)
        return None if self._programs_elsewhere is None else partial(self._programs_elsewhere, account)

    @contextlib.contextmanager
    def _as_ourselves(self, account: Account, home: int) -> Iterator[Run]:
        with self._program_slot(account):
            yield self._runner(home, account.programs)

    def _runner(self, home: int, share: ProgramShare) -> Run:
        settings = self._delivery
        limits = ProgramLimits(
            share.seconds, settings.program_memory_octets, settings.program_processes, settings.program_files
        )
        variables = own_variables(self._site.directory)

        def run(command: str, environment: Mapping[bytes, bytes], message: Iterable[bytes]) -> Ended:
            arguments = (SHELL, b"-c", command.encode("utf-8", "surrogateescape"))
            try:
                stdin = standard_input(message)
                try:
                    return run_program(
                        arguments,
                        environment={**environment, **variables},
                        directory=home,
                        message=stdin,
                        limits=limits,
                    )
                finally:
                    os.close(stdin)
            except OSError as error:
                raise ProgramDeferredError(f"{command[:80]}: {error.strerror}") from error

        return run


def has_own_uid(uid: int, root: Path) -> bool:
    """Whether the kernel keeps a user apart from the others of their site.

    The spool root belongs to the account that the service runs as, and so does every home where users share a uid.
    If it belongs to root nobody can tell, and the answer is no. A site whose users share another uid than the spool
    root's must not ask here.

    Args:
        uid: the user's.
        root: the spool root.

    Raises:
        SpoolError: it cannot be looked at.
    """
    with durable.storage_errors(root):
        return root.stat().st_uid not in {0, uid}
