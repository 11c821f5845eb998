"""Who takes over what a site forwards, as its settings say."""

from __future__ import annotations

from delivery.forwarding import Forwarder, SendmailForwarder
from delivery.settings import DeliverySettings


def next_hop(settings: DeliverySettings) -> Forwarder:
    """Make what hands messages over; where a site has neither a smarthost nor a sendmail, it says so.

    Reads the smarthost's credentials, so it is to be called before this process becomes a recipient.
    """
    if settings.smarthost:
        # Loaded where there is one: ssl takes longer to load than most messages to deliver.
        from delivery.smarthost import SmarthostForwarder  # noqa: PLC0415

        return SmarthostForwarder(settings)
    return SendmailForwarder(settings.sendmail)
