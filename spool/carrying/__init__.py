"""Carrying messages from one mailbox into another, of whichever kinds: what importing and converting share."""
