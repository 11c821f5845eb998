"""Tests of ``delivery.next_hop``."""

from __future__ import annotations

import pytest

from delivery.errors import ForwardingDeferredError
from delivery.forwarding import SendmailForwarder
from delivery.next_hop import next_hop
from delivery.settings import DeliverySettings
from delivery.smarthost import SmarthostForwarder


def test_a_smarthost_or_a_sendmail_takes_what_is_forwarded() -> None:
    smarthost = next_hop(DeliverySettings(smarthost="mail.example.org:25"))
    assert isinstance(smarthost, SmarthostForwarder)
    smarthost.check()
    sendmail = next_hop(DeliverySettings(sendmail=("/usr/sbin/sendmail",)))
    assert isinstance(sendmail, SendmailForwarder)
    sendmail.check()


def test_with_neither_mail_waits() -> None:
    with pytest.raises(ForwardingDeferredError, match="nothing can be forwarded"):
        next_hop(DeliverySettings()).check()
