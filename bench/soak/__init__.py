"""Mixed load for a long time, with kills and reloads, and every message accounted for at the end."""
