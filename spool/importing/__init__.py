"""Importing an old spool of mboxes into the homes of users, while both are in use."""
