#!/usr/bin/env python3
"""Run popload several times and keep min/median/max of what it prints.

    runs.py --tool ./popload --out results.jsonl --label dovecot-default/m20/login [--reps 3] [--warm 1]
            [--before CMD] -- <popload arguments>

Takes the lock named by $BENCH_LOCK (if set) around the runs.  A run that
exits non-zero is recorded with its errors and flagged, never dropped.
"""

import argparse
import fcntl
import json
import os
import statistics
import subprocess
import sys

p = argparse.ArgumentParser()
p.add_argument("--tool", required=True)
p.add_argument("--out", required=True)
p.add_argument("--label", required=True)
p.add_argument("--reps", type=int, default=3)
p.add_argument("--warm", type=int, default=1)
p.add_argument("--before", help="shell command before every run, warm-up included (not timed)")
p.add_argument("args", nargs="+")
a = p.parse_args()
lock = os.environ.get("BENCH_LOCK")
runs = []


def machine_busy():
    """seconds all processors together have been busy since boot"""
    v = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
    return (sum(v) - v[3] - v[4]) / os.sysconf("SC_CLK_TCK")


def one():
    if a.before:
        subprocess.run(a.before, shell=True, check=True)
    b0 = machine_busy()
    r = subprocess.run(
        [a.tool, "-k", "-L", a.label, *a.args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    busy = machine_busy() - b0
    d = dict(kv.split("=", 1) for kv in r.stdout.split() if "=" in kv)
    d = {k: float(v) if k not in ("label", "scenario") else v for k, v in d.items()}
    d["rc"] = r.returncode
    if "wall" in d:  # processors that neither this server nor this client used: other work on the machine
        d["other_cpus"] = (busy - d["sessions"] * (d["cpu_ms"] + d["client_cpu_ms"]) / 1e3) / (d["wall"] + 0.5)
    if r.returncode:
        d["stderr"] = r.stderr[-300:]
    return d


with open(lock or os.devnull, "a" if lock else "r") as f:
    if lock:
        fcntl.flock(f, fcntl.LOCK_EX)
    for i in range(a.warm + a.reps):
        d = one()
        if i >= a.warm:
            runs.append(d)
with open(a.out, "a") as f:
    f.write(json.dumps({"label": a.label, "args": a.args, "runs": runs}) + "\n")


def mmm(key, fmt="%.1f"):
    v = [r[key] for r in runs if key in r]
    return "/".join(fmt % x for x in (min(v), statistics.median(v), max(v))) if v else "-"


bad = sum(r["rc"] != 0 for r in runs)
print(
    f"{a.label:44s} rate {mmm('rate'):>22s}  MB/s {mmm('mbps'):>20s}  cpu_ms {mmm('cpu_ms', '%.3f'):>22s}  p50 {mmm('p50', '%.2f')}  "
    f"stat50 {mmm('stat50', '%.2f')}  client {mmm('client_cpu_ms', '%.3f')}  others {mmm('other_cpus', '%.2f')}"
    + (f"  {bad} BAD RUNS: {runs[-1].get('stderr', '')[:120]}" if bad else "")
)
sys.exit(bad > 0)
