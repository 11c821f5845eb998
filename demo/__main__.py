"""python -m demo: build a sample site, once, and serve it: POP3 on 127.0.0.1:11110, POP3S on 11995, LMTP on 11024.

It runs until it is interrupted. Mail that a client deletes is gone until --fresh.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress

from demo.how_to_read import how_to_read
from demo.messages import sample_messages
from demo.site import SampleSite
from serving.privileges import Identity, become
from serving.settings import InternetAddress
from serving.sockets import listen
from spool.errors import SettingsError, SpoolError
from tools import mailspool
from tools.preload import preload

CHECKOUT: Final = Path(__file__).resolve().parent.parent
EXIT_FAILED: Final = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; the exit status is the return value."""
    options = _parser().parse_args(argv)
    _load_modules()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with _directory(options.directory) as directory:
            return _run(_sample(directory, options), fresh=options.fresh)
    except (SpoolError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_FAILED


def _sample(directory: Path, options: argparse.Namespace) -> SampleSite:
    return SampleSite(directory, options.pop3_port, options.pop3s_port, options.lmtp_port)


def _load_modules() -> None:
    """Load what would be loaded at first use, before the right to read it may be given up (``tools.preload``)."""
    preload()
    for _ in sample_messages(20, seed=0):  # one of each kind: they need codecs
        pass


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--directory", metavar="DIR", type=Path, help="where the site is kept (default: .demo here)")
    parser.add_argument("--fresh", action="store_true", help="build the site anew, with all its mail")
    parser.add_argument("--pop3-port", metavar="N", type=int, default=11110)
    parser.add_argument("--pop3s-port", metavar="N", type=int, default=11995)
    parser.add_argument("--lmtp-port", metavar="N", type=int, default=11024)
    return parser


def _run(sample: SampleSite, *, fresh: bool) -> int:
    for port in (sample.pop3_port, sample.pop3s_port, sample.lmtp_port):
        _require_free(port)
    if fresh or not sample.is_whole():
        _build(sample)
    print(how_to_read(sample), flush=True)
    return mailspool.main(["serve", "--site", str(sample.site.directory)])


def _build(sample: SampleSite) -> None:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"delivering {sample.messages:,} messages", total=sample.messages)
        sample.build(lambda: progress.advance(task))


def _require_free(port: int) -> None:
    """Notice a taken port before building for a minute."""
    try:
        listen(InternetAddress("127.0.0.1", port)).close()
    except SettingsError as error:
        raise SettingsError(
            f"{error}; is another demo running? --pop3-port, --pop3s-port and --lmtp-port choose other ports"
        ) from error


@contextlib.contextmanager
def _directory(named: Path | None) -> Iterator[Path]:
    """Choose where the site is kept, and become, for good, whom it shall belong to.

    The service refuses uid 0. Run by root the demo becomes the owner of the checkout; where that is root too it becomes
    ``nobody``, and the site lives in a directory that goes away with it.
    """
    if os.geteuid():
        yield (named or CHECKOUT / ".demo").absolute()
        return
    owner = CHECKOUT.stat()
    if named is None and owner.st_uid:
        become(Identity(owner.st_uid, owner.st_gid))
        yield CHECKOUT / ".demo"
        return
    if named is not None:
        raise SettingsError("--directory: not as root; run the demo as the user it shall belong to")
    nobody = pwd.getpwnam("nobody")
    become(Identity(nobody.pw_uid, nobody.pw_gid))
    print("demo: running as nobody, since the service refuses to be root", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="mailspool-demo-") as name:
        yield Path(name)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
