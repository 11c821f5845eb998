"""Fuzz the POP3 core: ``python -m tests.fuzz --seconds 60``; an input that breaks a promise is kept in the corpus."""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.oracle import check
from tests.fuzz.sessions import mutated, session

CORPUS = Path(__file__).parent / "corpus"


def main(argv: Sequence[str] | None = None) -> int:
    """Run until the time is over; the exit status is 1 if something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to run (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="first seed, to repeat a run (default: by the clock)")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="where inputs are read and kept")
    options = parser.parse_args(argv)

    seed = options.seed if options.seed is not None else time.time_ns() % 2**32
    print(f"seed {seed}")
    known = [path.read_bytes() for path in sorted(options.corpus.iterdir())]
    end = time.monotonic() + options.seconds
    played = found = 0
    while time.monotonic() < end:
        source = random.Random(seed + played)
        case = mutated(source.choice(known), source) if known and source.random() < 0.2 else session(source)
        played += 1
        try:
            check(case)
        except Exception:
            found += 1
            path = options.corpus / f"found-{hashlib.sha256(case).hexdigest()[:12]}"
            path.write_bytes(case)
            traceback.print_exc()
            print(f"seed {seed + played - 1}: kept as {path}", file=sys.stderr)
    print(f"{played} sessions, {found} broke a promise")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
