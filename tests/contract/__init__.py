"""The promises of ``spool.mailbox``, held against every kind of mailbox. A new kind joins by the one fixture."""
