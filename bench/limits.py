#!/usr/bin/env python3
"""What the machine can do at most: limits.py MBOX

scan      count lines that begin "From " in MBOX: grep, Python mmap.find, Python bytes.count
sendfile  MBOX through a loopback TCP connection with sendfile, one reader in another process
sendall   the same octets with read + send from user space, 256 KB at a time
"""

import mmap
import os
import socket
import subprocess
import sys
import time

path = sys.argv[1]
size = os.path.getsize(path)


def show(name, f):
    t = []
    for _ in range(4):
        c0, t0 = time.process_time(), time.monotonic()
        r = f()
        t.append((time.monotonic() - t0, time.process_time() - c0))
    t = sorted(t[1:])
    print(
        f"{name:28s} {'/'.join('%.0f' % (size / x[0] / 1e6) for x in t[::-1])} MB/s  (own cpu {t[1][1]:.3f} s of {t[1][0]:.3f} s)  {r}"
    )


def grep():
    return (
        subprocess.run(["grep", "-c", "-a", "^From ", path], stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"})
        .stdout.decode()
        .strip()
    )


def mfind():
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
        n, i = int(m[:5] == b"From "), m.find(b"\nFrom ")
        while i >= 0:
            n += 1
            i = m.find(b"\nFrom ", i + 1)
        return n


def count():
    with open(path, "rb") as f:
        n, tail = 0, b"\n"
        while b := f.read(1 << 20):
            b = tail + b
            n += b.count(b"\nFrom ")
            tail = b[-5:]
        return n


def stream(use_sendfile):
    def run():
        ls = socket.create_server(("127.0.0.1", 0))
        pid = os.fork()
        if not pid:
            s = socket.create_connection(ls.getsockname())
            b = bytearray(1 << 20)
            while s.recv_into(b):
                pass
            os._exit(0)
        c, _ = ls.accept()
        with open(path, "rb") as f:
            if use_sendfile:
                off = 0
                while off < size:
                    off += os.sendfile(c.fileno(), f.fileno(), off, size - off)
            else:
                while b := f.read(1 << 18):
                    c.sendall(b)
        c.close()
        ls.close()
        os.waitpid(pid, 0)

    return run


show("scan: grep -c '^From '", grep)
show("scan: mmap.find", mfind)
show("scan: read 1 MB, bytes.count", count)
show("loopback sendfile", stream(True))
show("loopback read + sendall", stream(False))
