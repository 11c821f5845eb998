"""Unique-ids that another server gave to the messages it now leaves to us.

A client that left its mail on the old server knows each message by the old server's id. A *source* (``sources``) finds
those ids: by a formula over the message, in a file of the old server, in a list, or by asking the old server itself.
``assigning`` makes them ours where they may be, and ``users`` does so for the users of a site.
"""
