#!/usr/bin/env python3
"""cdb: build time and lookups/s.   cdbbench.py RECORDS WORKDIR

Records look like a qmail assign table: key "!userNNNNNNN\\0", value
"uid\\0gid\\0home\\0-\\0\\0".  Measures whichever of these is installed: the
`cdb` tool of tinycdb (build, one-process lookups), cdbx, pure-cdb (cdblib).
Lookups: 200,000 random hits (20,000 for pure Python) and as many misses.
"""

import os
import random
import subprocess
import sys
import time

n, work = int(sys.argv[1]), sys.argv[2]
keys = [b"!user%07d\0" % i for i in range(n)]
val = b"1000\0001000\0/var/spool/u/%07d\0-\0\0"
rnd = random.Random(1)
hits = [rnd.choice(keys) for _ in range(200_000)]
miss = [b"!nobody%07d\0" % rnd.randrange(n) for _ in range(200_000)]


def clock(name, f, count):
    t = []
    for _ in range(3):
        t0 = time.perf_counter()
        f()
        t.append(time.perf_counter() - t0)
    t.sort()
    print(f"{name:34s} {t[0]:.3f}/{t[1]:.3f}/{t[2]:.3f} s   {count / t[1]:,.0f}/s")


path = os.path.join(work, "bench.cdb")
src = os.path.join(work, "bench.txt")
try:
    with open(src, "wb") as f:
        for i, k in enumerate(keys):
            v = val % i
            f.write(b"+%d,%d:%s->%s\n" % (len(k), len(v), k, v))
        f.write(b"\n")
    clock("tinycdb cdb -c (build)", lambda: subprocess.run(["cdb", "-c", path, src], check=True), n)
    plain = hits[0]
    clock(
        "tinycdb cdb -q (process each)",
        lambda: [subprocess.run(["cdb", "-q", path, "x"], stdout=subprocess.DEVNULL) for _ in range(100)],
        100,
    )
except FileNotFoundError:
    print("tinycdb: not installed")
try:
    import cdbx

    def build():
        m = cdbx.CDB.make(path)
        for i, k in enumerate(keys):
            m.add(k, val % i)
        m.commit().close()

    clock("cdbx build", build, n)
    c = cdbx.CDB(path)  # reads with pread
    assert c[keys[7]] == val % 7
    clock("cdbx hit", lambda: [c[k] for k in hits], len(hits))
    clock("cdbx miss", lambda: [c.get(k) for k in miss], len(miss))
    c = cdbx.CDB(path, mmap=True)
    clock("cdbx mmap hit", lambda: [c[k] for k in hits], len(hits))
    clock("cdbx mmap miss", lambda: [c.get(k) for k in miss], len(miss))
except ImportError:
    print("cdbx: not installed")
try:
    import cdblib

    def build2():
        with open(path, "wb") as f, cdblib.Writer(f) as w:
            put = w.put
            for i, k in enumerate(keys):
                put(k, val % i)

    clock("pure-cdb build", build2, n)
    r = (
        cdblib.Reader.from_file_path(path)
        if hasattr(cdblib.Reader, "from_file_path")
        else cdblib.Reader(open(path, "rb").read())
    )
    clock("pure-cdb hit", lambda: [r.get(k) for k in hits[:20000]], 20000)
    clock("pure-cdb miss", lambda: [r.get(k) for k in miss[:20000]], 20000)
except ImportError:
    print("pure-cdb: not installed")
