"""Converting mailboxes between Maildir and mbox, while mail arrives in them."""
