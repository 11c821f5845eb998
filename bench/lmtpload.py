#!/usr/bin/env python3
"""Delivery load: the same messages through LMTP, through one process per
message, or straight to the disk (the physical limit).

  lmtpload.py lmtp  --port P   --messages DIR -n 1000 -c 8 [--rcpts 1]
  lmtpload.py exec  --messages DIR -n 300 -c 2 -- prog args   (message on stdin; %u -> user, %s -> sender)
  lmtpload.py fsync --messages DIR -n 1000 -c 1 --into DIR    (write tmp, fsync, rename[, fsync folder])
  lmtpload.py append --messages DIR -n 1000 --into FILE       (append to one file, fsync each)

Recipients are --pattern over 0..users-1 (+ --domain for LMTP), in turn.  -c is
connections, processes or writers at once.  --cgroup DIR: CPU of the server.
Prints messages/s, ms at p50/p99, server CPU ms/message.  Exit 1 on any refusal.
"""

import argparse
import os
import socket
import subprocess
import sys
import threading
import time

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("how", choices=["lmtp", "exec", "fsync", "append"])
p.add_argument("--host", default="127.0.0.1")
p.add_argument("--port", type=int, default=24)
p.add_argument("--messages", required=True, help="folder of plain files")
p.add_argument("-n", type=int, default=300)
p.add_argument("-c", type=int, default=1)
p.add_argument("--rcpts", type=int, default=1, help="recipients per LMTP transaction")
p.add_argument("--users", type=int, default=100)
p.add_argument("--pattern", default="user%05d")
p.add_argument("--domain", default="example.net")
p.add_argument("--into", help="fsync: folder; append: file")
p.add_argument("--nodirsync", action="store_true")
p.add_argument("--as-user", help="exec: run each process as this user (name)")
p.add_argument("--cgroup")
p.add_argument("--label", default="")
argv = sys.argv[1:]
prog = []
if "--" in argv:
    prog = argv[argv.index("--") + 1 :]
    argv = argv[: argv.index("--")]
a = p.parse_args(argv)

files = sorted(os.path.join(d, f) for d, _, fs in os.walk(a.messages) for f in fs)
bodies = [open(f, "rb").read() for f in files]
wire = [b.replace(b"\n", b"\r\n").replace(b"\r\n.", b"\r\n..") + b".\r\n" for b in bodies]
lock = threading.Lock()
todo = iter(range(a.n))
lat, errors, octets = [], [], 0


def take():
    with lock:
        return next(todo, None)


def note(t0, size, err=None):
    global octets
    with lock:
        lat.append(time.monotonic() - t0)
        octets += size
        if err:
            errors.append(err)


def lmtp():
    s = socket.create_connection((a.host, a.port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    f = s.makefile("rb", 65536)

    def reply():
        while True:
            line = f.readline()
            if not line or line[3:4] != b"-":
                return line

    reply()
    s.sendall(b"LHLO bench.example\r\n")
    reply()
    while (i := take()) is not None:
        t0 = time.monotonic()
        to = [a.pattern % ((i * a.rcpts + k) % a.users) for k in range(a.rcpts)]
        s.sendall(
            b"MAIL FROM:<sender@example.org>\r\n"
            + b"".join(b"RCPT TO:<%s@%s>\r\n" % (t.encode(), a.domain.encode()) for t in to)
            + b"DATA\r\n"
        )
        got = [reply() for _ in range(len(to) + 2)]
        if not got[-1].startswith(b"354"):
            note(t0, 0, repr(got))
            return
        s.sendall(wire[i % len(wire)])
        bad = [r for r in (reply() for _ in to) if not r.startswith(b"250")]
        note(t0, len(bodies[i % len(bodies)]), repr(bad) if bad else None)
    s.sendall(b"QUIT\r\n")


def execute():
    import pwd

    who = {}
    if a.as_user:
        e = pwd.getpwnam(a.as_user)
        who = {"user": e.pw_uid, "group": e.pw_gid, "extra_groups": []}
    while (i := take()) is not None:
        user = a.pattern % (i % a.users)
        cmd = [x.replace("%u", user).replace("%s", "sender@example.org") for x in prog]
        t0 = time.monotonic()
        with open(files[i % len(files)], "rb") as f:
            r = subprocess.run(cmd, stdin=f, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **who)
        note(t0, len(bodies[i % len(bodies)]), f"exit {r.returncode}: {r.stdout[-200:]!r}" if r.returncode else None)


def fsync():
    top = a.into
    me = threading.get_ident()
    dirfd = os.open(os.path.join(top, "new"), os.O_RDONLY)
    while (i := take()) is not None:
        t0 = time.monotonic()
        tmp = os.path.join(top, "tmp", f"{me}.{i}")
        fd = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(fd, bodies[i % len(bodies)])
        os.fsync(fd)
        os.close(fd)
        os.rename(tmp, os.path.join(top, "new", f"{time.time():.6f}.{me}.{i}"))
        if not a.nodirsync:
            os.fsync(dirfd)
        note(t0, len(bodies[i % len(bodies)]))
    os.close(dirfd)


def append():
    fd = os.open(a.into, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    while (i := take()) is not None:
        t0 = time.monotonic()
        os.write(fd, bodies[i % len(bodies)])
        os.fsync(fd)
        note(t0, len(bodies[i % len(bodies)]))
    os.close(fd)


def cpu_ms():
    if not a.cgroup:
        return 0
    return int(open(os.path.join(a.cgroup, "cpuacct.usage")).read()) / 1e6


if a.how == "fsync":
    for d in ("tmp", "new"):
        os.makedirs(os.path.join(a.into, d), exist_ok=True)
body = {"lmtp": lmtp, "exec": execute, "fsync": fsync, "append": append}[a.how]


def guarded():
    try:
        body()
    except Exception as e:
        errors.append(repr(e))


c0 = cpu_ms()
t0 = time.monotonic()
threads = [threading.Thread(target=guarded) for _ in range(a.c)]
for t in threads:
    t.start()
for t in threads:
    t.join()
wall = time.monotonic() - t0
u = os.times()
lat.sort()
k = max(1, len(lat))
print(
    f"{a.label or a.how:34s} c={a.c:<3d} {len(lat)} messages {len(lat) / wall:8.1f}/s {octets / wall / 1e6:7.2f} MB/s  "
    f"p50 {lat[k // 2] * 1e3 if lat else 0:.1f} p99 {lat[k * 99 // 100] * 1e3 if lat else 0:.1f} ms  "
    f"server cpu {(cpu_ms() - c0) / k:.2f}  client cpu {(u.user + u.system) * 1e3 / k:.2f} children {(u.children_user + u.children_system) * 1e3 / k:.2f} ms/msg  "
    f"{len(errors)} errors"
)
for e in errors[:3]:
    print("   ", e[:300], file=sys.stderr)
sys.exit(bool(errors))
