"""Moving the homes of a live spool from one layout to another (``spool-rehash``).

``docs/adr/0010-rehash.md`` says why it is done like this; ``spool.rehash.rehash`` tells the order of steps.
"""
