"""Random POP3 sessions against the protocol core, and the inputs that once were interesting."""
