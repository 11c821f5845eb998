"""The POP3 service: a pure protocol core and its Twisted shell."""
