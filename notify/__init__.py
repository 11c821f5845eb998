"""New mail, wherever a person looks."""
