"""What goes wrong with verifiers and passwords. No message holds either."""

from __future__ import annotations

from spool.errors import EnhancedStatus, SpoolError


class VerifierError(SpoolError):
    """A verifier that cannot be used: unknown scheme, malformed, or dearer to compute than we allow.

    Temporary for whoever logs in, since it says nothing about the password.
    """


class UnusablePasswordError(SpoolError):
    """A password that cannot be stored under a scheme."""

    status = EnhancedStatus(5, 7, 0)
    public_text = "unusable password"
