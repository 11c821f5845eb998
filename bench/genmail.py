#!/usr/bin/env python3
"""Deterministic, realistic mailboxes for POP3 and delivery benchmarks.

    genmail.py maildir --out DIR --users 100 --messages 20
    genmail.py mbox    --out DIR --users 1   --total-mb 500
    genmail.py files   --out DIR --messages 200        (plain files to deliver)

Maildirs go to DIR/<user>/Maildir, mboxes to DIR/<user>/mbox.  The same
arguments always make the same octets and names.  Sizes: log-normal with a
median near 6 KB; about one message in nine carries an attachment of some
50 KB, one in 200 of 1-5 MB (--big-every changes that, 0 = none).  --size N
gives every message one attachment instead, some 1.18 N octets in all.  Bodies hold lines
that begin with dots and with "From ".  Lines end in LF, as stored mail does.
"""

import argparse
import base64
import os
import random
import time

EPOCH = 1_700_000_000
WORDS = (
    "the of and to in for is on that by this with you it not or be are from at as your all have new more an was "
    "we will home can us about if page my has search free but our one other do no information time they site he "
    "up may what which their news out use any there see only so his when contact here business who web also now "
    "help get view online first been would how were services some these click its like service than find price "
    "invoice meeting attached regards schedule review draft budget deploy server queue mailbox quarterly"
).split()
NAMES = (
    "alice bob carol dave erin frank grace heidi ivan judy mallory niaj olivia peggy rupert sybil trent victor".split()
)


class Stock:
    """Lines and base64 made once, then sliced: generating must not take longer than writing."""

    def __init__(self, seed):
        r = random.Random(seed)
        self.text = []
        for i in range(6000):
            line = ""
            while len(line) < r.randint(20, 72):
                line += r.choice(WORDS) + " "
            k = i % 97
            if k == 13:
                line = "." + line
            elif k == 14:
                line = ".." + line
            elif k == 15:
                line = "."
            elif k == 31:
                line = "From " + line
            elif k == 47:
                line = ">From " + line
            elif k % 9 == 8:
                line = ""
            self.text.append(line.rstrip()[:990])
        self.b64 = base64.encodebytes(r.randbytes(6 << 20)).decode().splitlines()

    def lines(self, r, size, kind):
        src = self.text if kind == "text" else self.b64
        i = r.randrange(len(src))
        out, have = [], 0
        while have < size:
            chunk = src[i : i + max(1, (size - have) // 60)]
            out += chunk
            have += sum(map(len, chunk)) + len(chunk)
            i = (i + len(chunk)) % len(src)
        return out


def message(stock, seed, user, n, size=0, big_every=200):
    """(octets with LF line ends, envelope sender, unix time)"""
    r = random.Random(f"{seed}/{user}/{n}")
    when = EPOCH + n * 977 + r.randrange(900)
    date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(when))
    sender = f"{r.choice(NAMES)}{r.randrange(1000)}@mail{r.randrange(50)}.example.org"
    msgid = f"{r.getrandbits(64):016x}.{n}@{sender.split('@')[1]}"
    h = [f"Return-Path: <{sender}>", f"Delivered-To: {user}@example.net"]
    for hop in range(r.randint(1, 4)):
        h += [
            f"Received: from hop{hop}.example.org (hop{hop}.example.org [192.0.2.{r.randrange(256)}])",
            f"\tby mx{hop}.example.net (Postfix) with ESMTPS id {r.getrandbits(40):010X}",
            f"\tfor <{user}@example.net>; {date}",
        ]
    h += [
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=sel1;",
        "\tt=%d; bh=%s;" % (when, stock.b64[r.randrange(9999)][:44]),
        "\th=From:To:Subject:Date:Message-ID;",
    ]
    h += ["\t " + s for s in stock.lines(r, 230, "b64")[:4]]
    h += [
        f"From: {sender.split('@')[0].title()} <{sender}>",
        f"To: <{user}@example.net>",
        "Subject: " + " ".join(r.choices(WORDS, k=r.randint(2, 9))),
        f"Date: {date}",
        f"Message-ID: <{msgid}>",
        "MIME-Version: 1.0",
    ]
    if size:
        text, attach = 300, max(0, size - 2200)
    else:
        text = int(min(60_000, max(200, r.lognormvariate(8.25, 0.95))))
        attach = 0
        if big_every and r.randrange(big_every) == 0:
            attach = r.randint(1_000_000, 5_000_000)
        elif r.randrange(9) == 0:
            attach = int(r.lognormvariate(10.8, 0.4))
    body = stock.lines(r, text, "text")
    if attach:
        b = f"=_{r.getrandbits(60):015x}"
        h += [
            f'Content-Type: multipart/mixed; boundary="{b}"',
            "",
            "This is a multi-part message in MIME format.",
            "",
            "--" + b,
            "Content-Type: text/plain; charset=us-ascii",
            "",
        ]
        h += body
        h += [
            "",
            "--" + b,
            f'Content-Type: application/octet-stream; name="file{n}.bin"',
            "Content-Transfer-Encoding: base64",
            f'Content-Disposition: attachment; filename="file{n}.bin"',
            "",
        ]
        h += stock.lines(r, attach, "b64")
        h += ["--" + b + "--"]
    else:
        h += ["Content-Type: text/plain; charset=us-ascii", ""]
        h += body
    return ("\n".join(h) + "\n").encode(), sender, when


def mbox_entry(raw, sender, when):
    """mboxrd: any line ">*From " gains one ">"; a blank line ends the entry."""
    lines = raw.split(b"\n")
    for i, s in enumerate(lines):
        if s.lstrip(b">").startswith(b"From "):
            lines[i] = b">" + s
    return (
        f"From {sender} {time.strftime('%a %b %e %H:%M:%S %Y', time.gmtime(when))}\n".encode()
        + b"\n".join(lines)
        + b"\n"
    )


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("kind", choices=["maildir", "mbox", "files"])
    p.add_argument("--out", required=True)
    p.add_argument("--users", type=int, default=1)
    p.add_argument("--first", type=int, default=0)
    p.add_argument("--pattern", default="user%05d")
    p.add_argument("--messages", type=int, default=20)
    p.add_argument("--total-mb", type=float, default=0, help="mbox: go on until the file is this large")
    p.add_argument("--size", type=int, default=0)
    p.add_argument("--big-every", type=int, default=200)
    p.add_argument("--seed", default="0")
    p.add_argument("--where", choices=["cur", "new"], default="cur")
    p.add_argument(
        "--names",
        choices=["plain", "sized"],
        default="plain",
        help="sized: file names carry ,S= and ,W= as dovecot's own deliveries do",
    )
    p.add_argument("--owner", help="UID:GID")
    a = p.parse_args()
    stock = Stock(a.seed)
    uid, gid = map(int, a.owner.split(":")) if a.owner else (-1, -1)
    count = octets = 0
    sizes = []

    def own(path):
        if a.owner:
            os.chown(path, uid, gid)

    os.makedirs(a.out, exist_ok=True)
    for u in range(a.first, a.first + a.users):
        user = a.pattern % u if "%" in a.pattern else a.pattern
        home = a.out if a.kind == "files" else os.path.join(a.out, user)
        os.makedirs(home, exist_ok=True)
        own(home)
        if a.kind == "maildir":
            top = os.path.join(home, "Maildir")
            for d in ("", "cur", "new", "tmp"):
                os.makedirs(os.path.join(top, d), mode=0o700, exist_ok=True)
                own(os.path.join(top, d))
        elif a.kind == "mbox":
            box = open(os.path.join(home, "mbox"), "wb")
            own(box.name)
        n = here = 0
        while here < a.total_mb * 1e6 if a.total_mb else n < a.messages:
            raw, sender, when = message(stock, a.seed, user, n, a.size, a.big_every)
            if a.kind == "mbox":
                raw = mbox_entry(raw, sender, when)
                box.write(raw)
            else:
                if a.kind == "files":
                    path = os.path.join(home, f"m{n:05d}")
                else:
                    name = f"{when}.M{n % 1000000:06d}P{4000 + u}Q{n}.host.example"
                    if a.names == "sized":
                        name += f",S={len(raw)},W={len(raw) + raw.count(10)}"
                    path = os.path.join(top, a.where, name + (":2," if a.where == "cur" else ""))
                with open(path, "wb") as f:
                    f.write(raw)
                own(path)
                os.utime(path, (when, when))
            n += 1
            count += 1
            here += len(raw)
            sizes.append(len(raw))
        octets += here
        if a.kind == "mbox":
            box.close()
    sizes.sort()
    print(
        f"{count} messages, {octets / 1e6:.1f} MB, median {sizes[len(sizes) // 2] if sizes else 0}, "
        f"mean {octets // max(1, count)}, largest {sizes[-1] if sizes else 0} octets"
    )


if __name__ == "__main__":
    main()
