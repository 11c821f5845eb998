"""What the demo prints: who has mail, and commands that read it and send more, fit for copying."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from demo.site import PASSWORD, SampleSite

_KINDS: Final = {"maildir": "Maildir", "mbox": "mbox"}

_COMMANDS: Final = """\
curl: list the messages of a maildrop, read the first; the same over TLS; the same after STLS

  curl --user {user}:{password} pop3://127.0.0.1:{pop3}/
  curl --user {user}:{password} pop3://127.0.0.1:{pop3}/1
  curl --user {user}:{password} --cacert {certificate} pop3s://localhost:{pop3s}/1
  curl --user {user}:{password} --cacert {certificate} --ssl-reqd pop3://localhost:{pop3}/1

mutt: open a maildrop as a folder, after STLS or over TLS

  mutt -e 'set certificate_file={certificate}' -f pop://{user}:{password}@localhost:{pop3}
  mutt -e 'set certificate_file={certificate}' -f pops://{user}:{password}@localhost:{pop3s}

fetchmail: print all mail and leave it there; "protocol apop" for users with an APOP secret

  echo 'poll localhost service {pop3s} protocol pop3 user "{user}" password "{password}" \\
    ssl sslcertck sslcertfile "{certificate}" fetchall keep mda "cat"' | fetchmail --silent -f -
  echo 'poll localhost service {pop3} protocol apop user "{apop_user}" password "{password}" \\
    sslproto "" fetchall keep mda "cat"' | fetchmail --silent -f -

LMTP: deliver one more message, with Python or with swaks

  python3 -c 'from smtplib import LMTP; LMTP("127.0.0.1", {lmtp})\
.sendmail("", "{user}", b"Subject: hello\\r\\n\\r\\nhello\\r\\n")'
  swaks --protocol LMTP --server 127.0.0.1 --port {lmtp} --from me@example.org --to {user}
"""


def how_to_read(sample: SampleSite) -> str:
    """Say who has mail in a sample site, how to read it, and how to send more."""
    certificate = sample.site.directory / "tls" / "certificate.pem"
    lines = [f'Sample site: {_short(sample.site.directory)}; every password is "{PASSWORD}".', ""]
    for user in sample.users:
        apop = ", and an APOP secret" if user.apop else ""
        lines.append(f"  {user.name:12}{_KINDS[user.kind.value]:9}{user.messages:6,} messages{apop}")
    commands = _COMMANDS.format(
        user=sample.users[0].name,
        apop_user=next(user.name for user in sample.users if user.apop),
        password=PASSWORD,
        pop3=sample.pop3_port,
        pop3s=sample.pop3s_port,
        lmtp=sample.lmtp_port,
        certificate=_short(certificate),
    )
    return "\n".join([*lines, "", commands])


def _short(path: Path) -> Path:
    """A path as one would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
