"""Mailboxes, the directory of users, and every durable write. Blocking code; never imports Twisted."""
