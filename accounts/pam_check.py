"""Asks PAM in a process of its own, because a PAM module may hang, crash or change the process it runs in.

    python -I -m accounts.pam_check SERVICE

reads name, NUL, password, NUL from descriptor 3, and answers by exit status: 0 right, 3 wrong, 2 misuse, 111 trouble.
Not 1, as checkpassword programs do, because Python exits with 1 when it cannot start or meets a bug. Needs the
``pamela`` library (``pip install mailspool[pam]``). PAM is the one place where the system's user data base is asked.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from accounts.checkpassword import MAX_INPUT_OCTETS, input_octets
from accounts.checks import EXTERNAL_CHECK_DESCRIPTOR, ExternalCheck

_RIGHT: Final = 0
_WRONG: Final = 3
_MISUSED: Final = 2
_UNAVAILABLE: Final = 111
# Linux-PAM's numbers for "no": PAM_PERM_DENIED, PAM_AUTH_ERR, PAM_USER_UNKNOWN, PAM_MAXTRIES, PAM_NEW_AUTHTOK_REQD,
# PAM_ACCT_EXPIRED, PAM_CRED_EXPIRED. All others tell of trouble.
_NO: Final = frozenset({6, 7, 10, 11, 12, 13, 16})


def pam_check(service: str, name: bytes, password: bytes) -> ExternalCheck:
    """Describe a check by PAM under a service name.

    Raises:
        UnfitInputError: name or password too long, or a NUL within.
    """
    # Isolated: what lies in the current directory or stands in the environment must not become part of the program.
    command = (sys.executable, "-I", "-m", "accounts.pam_check", service)
    return ExternalCheck(command, input_octets(name, password), wrong_status=_WRONG)


def main(
    argv: Sequence[str] | None = None,
    *,
    descriptor: int = EXTERNAL_CHECK_DESCRIPTOR,
    load: Callable[[str], Any] = importlib.import_module,
) -> int:
    """Run the check; the exit status is the return value."""
    arguments = sys.argv[1:] if argv is None else argv
    with open(descriptor, "rb") as file:
        fields = file.read(MAX_INPUT_OCTETS + 1).split(b"\0")
    if len(arguments) != 1 or len(fields) != 3 or fields[2]:
        print("pam_check: usage: python -I -m accounts.pam_check SERVICE 3<input", file=sys.stderr)
        return _MISUSED
    try:
        pamela = load("pamela")
    except ImportError:
        print("pam_check: the pamela library is not installed", file=sys.stderr)
        return _UNAVAILABLE
    try:
        name, password = (field.decode("utf-8") for field in fields[:2])
    except UnicodeDecodeError:
        return _WRONG
    try:
        pamela.authenticate(name, password, service=arguments[0])
    except pamela.PAMError as error:
        if error.errno in _NO:
            return _WRONG
        print(f"pam_check: service {arguments[0]}: PAM error {error.errno}", file=sys.stderr)
        return _UNAVAILABLE
    return _RIGHT


if __name__ == "__main__":
    # The interpreter's own end may wait for what a module left behind; the answer is already known.
    os._exit(main())
