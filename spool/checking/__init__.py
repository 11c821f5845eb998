"""Finding, explaining and mending the inconsistencies of a site's spool, while it is in use."""
