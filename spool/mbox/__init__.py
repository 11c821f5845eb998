"""The mbox format: all mail of a user in one file, shared with any program that knows the format and its locks.

Nothing is imported here: a scanning process (``spool.mbox.scanning``) needs only some of the modules, and starts
sooner.
"""
