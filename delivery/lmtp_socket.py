"""Where a site's running service takes mail over: what ``run/hand-over`` says, and whether it is to be believed.

The service makes that file of ``mailspool.toml`` when it starts and when it reloads
(``delivery.lmtp_socket_publishing``):

    mailspool hand-over 1
    site DEVICE INODE
    uid N
    socket PATH

    (mailspool.toml as it was then, octet for octet)

It is believed where the site's directory is still the one that is named, so that a copied site does not use another's
service, and where ``mailspool.toml`` still holds exactly these octets, so that nothing stale is ever believed. The
directory ``run`` and the file must be writable by their owners only, and the file be root's or the directory's owner's.

It imports what is written in C alone (``delivery.lmtp_client`` says why).
"""

import posix

FILE = "run/hand-over"

_FORMAT = b"mailspool hand-over 1"
_OTHERS_MAY_WRITE = 0o022
# No planted link is followed, and no planted FIFO waited for.
_OPEN = posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC


class LmtpSocket:
    """Where a service takes mail over.

    Attributes:
        path: of the socket.
        uid: whose socket it is, unless it is root's: nobody else may have put one there.
    """

    __slots__ = ("path", "uid")

    def __init__(self, path: bytes, uid: int) -> None:
        self.path = path
        self.uid = uid


def find_lmtp_socket(site: str) -> LmtpSocket | None:
    """Say where the service of the site in a directory takes mail over; None where that is not known for certain."""
    try:
        return _find(site)
    except (OSError, ValueError):
        return None


def file_content(directory: posix.stat_result, told: LmtpSocket, settings: bytes) -> bytes:
    """Make the file's content.

    Args:
        directory: the status of the site's directory.
        told: what it shall say; its path holds no line end.
        settings: ``mailspool.toml``, from which that was read.
    """
    head = (_FORMAT, _site_line(directory), b"uid %d" % told.uid, b"socket " + told.path)
    return b"\n".join((*head, b"", settings))


def _find(site: str) -> LmtpSocket | None:
    directory = posix.stat(f"{site}/run")
    if directory.st_mode & _OTHERS_MAY_WRITE:
        return None
    status, content = _read(f"{site}/{FILE}")
    if status.st_mode & _OTHERS_MAY_WRITE or status.st_uid not in (0, directory.st_uid):
        return None
    head, _, settings = content.partition(b"\n\n")
    form, of_site, uid, socket = head.split(b"\n")
    if form != _FORMAT or of_site != _site_line(posix.stat(site)):
        return None
    if settings != _read(f"{site}/mailspool.toml")[1]:
        return None
    return LmtpSocket(socket.removeprefix(b"socket "), int(uid.removeprefix(b"uid ")))


def _site_line(directory: posix.stat_result) -> bytes:
    return b"site %d %d" % (directory.st_dev, directory.st_ino)


def _read(path: str) -> tuple[posix.stat_result, bytes]:
    descriptor = posix.open(path, _OPEN)
    try:
        status = posix.fstat(descriptor)
        return status, posix.read(descriptor, status.st_size)
    finally:
        posix.close(descriptor)
