"""Password schemes under Dovecot's names: verifiers as text, ``{SCHEME}`` and what the scheme stores."""
