#!/usr/bin/env python3
"""Counts what the inlining attributes buy, in user instructions per request.

Usage: benches/inlining.py [GROUP..]

Removes the attributes `#[inline(always)]`, `#[inline(never)]` and `#[cold]` from a copy of the
sources, one group at a time, builds `examples/bench.rs` from the copy, and counts its instructions
with the benchmark `budget`, which needs valgrind. A group takes about two minutes. The table that
it prints shows the instructions of each scenario with all attributes, and how many more a request
costs without those of the group. An attribute that buys fewer than five instructions should go.
"""

import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPY = ROOT / "target/inlining/source"
BUILD = ROOT / "target/inlining/build"
SCENARIOS = ["plaintext", "concurrent", "pipelined", "arguments", "json", "echo"]

ALWAYS = r"inline\(always\)"
OUTLINE = r"inline\(never\)|cold"
ANY = f"{ALWAYS}|{OUTLINE}"

# The name of a group: the folders or files, and the attributes that are removed from them.
GROUPS = {
    "none": ([], ANY),
    "cold, inline(never)": (["web/src", "runtime/src"], OUTLINE),
    "inline(always)": (["web/src", "runtime/src"], ALWAYS),
    "all": (["web/src", "runtime/src"], ANY),
    "http1": (["web/src/http1"], ANY),
    "routing": (["web/src/routing"], ANY),
    "connection": (["web/src/connection", "web/src/connection.rs"], ANY),
    "context": (["web/src/context", "web/src/context.rs"], ANY),
    "other web": (
        ["web/src/" + name for name in ("application", "handler", "scoreboard", "server", "types")],
        ANY,
    ),
    "runtime": (["runtime/src"], ANY),
}


def sources(places):
    for place in places:
        path = COPY / place
        yield from [path] if path.is_file() else path.rglob("*.rs")


def copy_sources():
    shutil.rmtree(COPY, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        target = COPY / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)


def remove(places, attributes):
    """Removes the attributes, and returns their number."""
    line = re.compile(rf"^ *#\[(?:{attributes})\]\n", re.MULTILINE)
    removed = 0
    for path in sources(places):
        text, count = line.subn("", path.read_text())
        if count:
            path.write_text(text)
            removed += count
    return removed


def instructions():
    cargo = ["cargo", "build", "--quiet", "--release", "--locked", "--example", "bench"]
    subprocess.run([*cargo, "--target-dir", BUILD], cwd=COPY, check=True)
    program = f"--program={BUILD}/release/examples/bench"
    budget = ["cargo", "bench", "--quiet", "--locked", "-p", "squall-benches", "--bench", "budget"]
    run = [*budget, "--", program, *SCENARIOS]
    printed = subprocess.run(run, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout
    return [int(n) for n in re.findall(r"^\w+ +instructions +(\d+)", printed, re.MULTILINE)]


def main():
    chosen = sys.argv[1:] or list(GROUPS)
    if unknown := set(chosen) - set(GROUPS):
        sys.exit(f"there is no group {unknown}; the groups are {', '.join(GROUPS)}")
    print(f"{'without':<22}{'removed':>8}", *(f"{name:>10}" for name in SCENARIOS), flush=True)
    with_all = None
    for group in ["none", *(name for name in chosen if name != "none")]:
        copy_sources()
        removed = remove(*GROUPS[group])
        counted = instructions()
        figures = [f"{n:>10}" for n in counted]
        if with_all:
            figures = [f"{n - before:>+10}" for n, before in zip(counted, with_all)]
        with_all = with_all or counted
        print(f"{group:<22}{removed:>8}", *figures, flush=True)


if __name__ == "__main__":
    main()
