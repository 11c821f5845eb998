"""Stops in the middle of what changes the disk, after each file operation in turn."""
