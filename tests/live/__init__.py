"""Operations on mailboxes while mail arrives in them and sessions read it, in threads."""
