"""Writes chained logs, most of them tampered with, and what is to be said of each: DIR/cases.json, and a folder for each case.

    python3 test/oracle/generate.py --out DIR [--seed N] [--cases N] [--only TAMPERING] [--first N]

The same seed, the same cases; case N of a seed is always the same, so that `--first N --cases 1` makes a failing one again.
"""

import argparse
import json
import os
import random

import reference
import tampering
import tampering_files  # noqa: F401  adds its own
import tampering_forks  # noqa: F401  and so does this
import tampering_lines  # noqa: F401  and so does this
import writers

START = 1_770_000_000
# What leaves the order of the files to be told from their hashes alone.
WHOLE = ("nothing", "respelled")


def times(rng, count, tampered):
    """Modification times by file, the oldest first, and whether they still tell the order."""
    right = [START + 3600 * n for n in range(count)]
    if count < 2 or rng.random() > (0.03 if tampered else 0.5):
        return right, "kept"
    kind = rng.choice(["equal", "reversed", "shuffled"])
    if kind == "equal":
        return [START] * count, kind
    other = right[::-1] if kind == "reversed" else rng.sample(right, count)
    return other, "kept" if other == right else kind


def make(seed, index, only=None):
    rng = random.Random(f"{seed}/{index}")
    names = [only] if only else list(tampering.TAMPERINGS)
    # All of them come up equally often, with every scheme; where one does not apply, another does.
    name = names[index % len(names)]
    for _ in range(100):
        scheme = rng.choice(["loki-dashboard", "loki-dashboard", "loki-agent", "app"])
        log = writers.make(rng, scheme)
        expected = tampering.TAMPERINGS[name](log)
        files = log.files()
        if expected == tampering.SKIP or not files:
            continue
        try:
            described = describe(rng, index, name, log, files, expected)
            if described is not None:
                return described
        except reference.Dies:
            continue
    raise AssertionError(f"{name} never applies")


def hashed(log, files):
    return [each for each in files if not tampering.dashboard(log) or reference.has_integrity(each[1], log.hash_key)]


def fits(files, moves, verify):
    """Whether the files are a whole chain in any order of those that may move."""

    def behind(done, left):
        # An order that goes wrong early is not tried to its end.
        if not left:
            rest = iter(done)
            return verify([next(rest) if each in moves else each for each in files])["valid"]
        return any(verify([*done, each])["valid"] and behind([*done, each], [other for other in left if other is not each]) for each in left)

    return len(moves) > 1 and behind([], moves)


def is_utf8(line):
    try:
        return line.decode("utf-8") is not None
    except UnicodeDecodeError:
        return False


def recognisable(log, files):
    """Whether any line has the scheme's members: else there is no telling which scheme it is, or whether there is a chain at all."""
    keys = {"loki-dashboard": [log.hash_key], "loki-agent": ["hash", "previousHash"], "app": ["hash", "prev_hash"]}[log.scheme]
    lines = [line for _, data in files for line in data.replace(b"\r", b"\n").split(b"\n")]
    entries = [reference.read_object(line.decode("utf-8").strip()) for line in lines if is_utf8(line)]
    return any(entry is not None and all(key in entry for key in keys) for entry in entries)


def describe(rng, index, name, log, files, expected):
    kind, breaks = expected
    verify = lambda which: reference.verify_dashboard(which, log.hash_key) if tampering.dashboard(log) else reference.verify(log.scheme, which)
    answer = verify(files)
    # A file without a hash at its front may be from before hashes, or not.
    if not answer["valid"] and fits(files, hashed(log, files), verify):
        # Lines that changed places with whole files: that is how lost modification times look.
        return None
    mtimes, order = times(rng, len(files), name not in WHOLE)
    if order != "kept" and not answer["valid"] and fits(files, files, verify):
        # With other times it might well be valid.
        return None
    return {
        "case": f"{index:06d}",
        "tampering": name,
        "scheme": log.scheme,
        "hash_key": log.hash_key,
        "files_oldest_first": [file for file, _ in files],
        "recognisable": recognisable(log, files),
        "modification_times": {"order": order, "seconds": mtimes},
        "reference": {key: value for key, value in answer.items() if key != "last_verified"},
        "last_verified": answer["last_verified"],
        "tip_hash": reference.dashboard_tip(files, log.hash_key) if tampering.dashboard(log) else None,
        "first_break_kind": kind,
        "breaks": breaks,
    }, files


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", choices=tampering.TAMPERINGS)
    options = parser.parse_args()
    cases = []
    for index in range(options.first, options.first + options.cases):
        case, files = make(options.seed, index, options.only)
        folder = os.path.join(options.out, case["case"])
        os.makedirs(folder)
        for (name, data), seconds in zip(files, case["modification_times"]["seconds"]):
            path = os.path.join(folder, name)
            with open(path, "wb") as out:
                out.write(data)
            os.utime(path, (seconds, seconds))
        # By construction and by the reference: where the two do not go together, the generator is wrong.
        if (case["first_break_kind"] is None) != case["reference"]["valid"] and case["first_break_kind"] != tampering.ANY:
            raise AssertionError(f"case {index} of seed {options.seed}: {case}")
        cases.append(case)
    with open(os.path.join(options.out, "cases.json"), "w") as out:
        json.dump(cases, out, indent=1)


if __name__ == "__main__":
    main()
