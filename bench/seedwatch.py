#!/usr/bin/env python3
"""One message to many: seedwatch.py --data DIR --users 2000 [--skip 30] [--limit 120] -- INJECT ...

Empties every DIR/<user>/Maildir/new, runs INJECT (message on stdin, recipients
appended as arguments) and reports seconds from its start until it returned and
until 50 %, 90 % and all of the users from --skip on have the message, each once.
"""

import argparse
import os
import subprocess
import sys
import time

argv = sys.argv[1:]
cut = argv.index("--")
p = argparse.ArgumentParser()
p.add_argument("--data", required=True)
p.add_argument("--users", type=int, default=2000)
p.add_argument("--skip", type=int, default=0, help="the first N users never get it (their delivery hangs)")
p.add_argument("--pattern", default="user%05d")
p.add_argument("--domain", default="example.net")
p.add_argument("--limit", type=float, default=120)
p.add_argument("--cgroup")
p.add_argument("--label", default="")
a = p.parse_args(argv[:cut])
names = [a.pattern % i for i in range(a.users)]
new = [os.path.join(a.data, u, "Maildir", "new") for u in names]
for d in new:
    for f in os.listdir(d):
        os.unlink(os.path.join(d, f))
msg = b"From: list@example.org\nTo: all@example.net\nSubject: seed\n\n" + b"A line of the seed message.\n" * 200


def cpu():
    return int(open(os.path.join(a.cgroup, "cpuacct.usage")).read()) / 1e9 if a.cgroup else 0


c0, t0 = cpu(), time.monotonic()
r = subprocess.run(argv[cut + 1 :] + [f"{u}@{a.domain}" for u in names], input=msg)
t_inject = time.monotonic() - t0
left, at = set(new[a.skip :]), {}
want = len(left)
while left and time.monotonic() - t0 < a.limit:
    left = {d for d in left if not os.listdir(d)}
    t = time.monotonic() - t0
    for q in (0.5, 0.9, 1.0):
        if want - len(left) >= q * want:
            at.setdefault(q, t)
    time.sleep(0.05)
twice = sum(len(os.listdir(d)) > 1 for d in new)
print(
    f"{a.label:28s} rc {r.returncode}  inject {t_inject:.2f} s  half {at.get(0.5, -1):.2f}  90% {at.get(0.9, -1):.2f}  all {want}: "
    f"{at.get(1.0, -1):.2f} s  missing {len(left)}  twice {twice}  server cpu {cpu() - c0:.2f} s"
)
sys.exit(bool(left))
