"""What can happen to a log, and by docs/decisions/0011-hash-chains.md what is to be said of it.

Each tampering changes `log.lines` and answers (kind of the first break or None for no break or ANY, number of breaks or ANY), or SKIP where it does not
apply to this log. "by construction": the kind follows from what was done, not from looking at the result.
"""

import values

ANY = "any"
SKIP = "skip"
NEIGHBOURS = 64
TAMPERINGS = {}


def tampering(function):
    TAMPERINGS[function.__name__] = function
    return function


def place(rng, count):
    """Ends are as likely as the middle."""
    return rng.choice([0, count - 1, rng.randrange(count), rng.randrange(count), rng.randrange(count)])


def dashboard(log):
    return log.scheme == "loki-dashboard"


def changed(log, position):
    """The entry there is not what its hash says."""
    if dashboard(log):
        return "head_missing" if position == 0 else "edited_or_removed"
    return "edited"


def gone(log, position):
    """The entry there is sound and follows a hash that is nowhere."""
    if position == 0:
        return "head_missing"
    if dashboard(log):
        return "edited_or_removed"
    return "missing_file" if log.first_of_file(position) else "removed"


def ahead(log, position, distance):
    """The entry there follows the hash so many lines further on."""
    return "reordered" if distance <= NEIGHBOURS else gone(log, position)


def spoiled(log, position, kind):
    """A file that begins with a line without a hash is taken for one from before hashes, where no other was before it."""
    return (ANY, ANY) if dashboard(log) and position == 0 else (kind, 1)


def rewrite(log, position, change):
    entry = log.parse(log.lines[position][1])
    change(entry)
    log.lines[position][1] = log.print(entry)


def edit(log, position):
    """Any hashed member but the predecessor's hash."""
    kept = (log.hash_key, "previousHash", "prev_hash")

    def change(entry):
        key = log.rng.choice([key for key in entry if key not in kept])
        entry[key] = f"forged {log.rng.random()}"

    rewrite(log, position, change)


@tampering
def nothing(log):
    return None, 0


@tampering
def edited_value(log):
    position = place(log.rng, len(log.lines))
    edit(log, position)
    return changed(log, position), 1


@tampering
def edited_run(log):
    start = place(log.rng, len(log.lines))
    count = min(log.rng.randint(2, 4), len(log.lines) - start)
    for position in range(start, start + count):
        edit(log, position)
    return changed(log, start), count


@tampering
def respelled(log):
    """The same values in other bytes: nobody can tell, and nobody should."""
    for line in log.lines:
        if log.rng.random() < 0.7:
            line[1] = values.respelled(log.rng, line[1], log.scheme)
    return None, 0


@tampering
def extra_member(log):
    position = place(log.rng, len(log.lines))
    rewrite(log, position, lambda entry: entry.update({"note": "added"}))
    if log.scheme == "loki-agent":
        return None, 0
    return changed(log, position), 1


@tampering
def member_removed(log):
    position = place(log.rng, len(log.lines))
    rewrite(log, position, lambda entry: entry.pop("timestamp"))
    return changed(log, position), 1


@tampering
def deleted(log):
    start = place(log.rng, len(log.lines))
    count = log.rng.choice([1, 1, 1, 2, 5, 70])
    del log.lines[start : start + count]
    if not log.lines:
        return SKIP
    return (None, 0) if start >= len(log.lines) else (gone(log, start), 1)


@tampering
def deleted_twice(log):
    if len(log.lines) < 8:
        return SKIP
    first = log.rng.randint(0, len(log.lines) - 7)
    second = log.rng.randint(first + 3, len(log.lines) - 3)
    del log.lines[second]
    del log.lines[first]
    return gone(log, first), 2


@tampering
def file_deleted(log):
    files = sorted({line[0] for line in log.lines})
    if len(files) < 2:
        return SKIP
    file = log.rng.choice(files)
    log.lines = [line for line in log.lines if line[0] != file]
    if file == files[-1]:
        return None, 0
    # With the first file gone, the second begins the chain. What is no longer there has no line to point at but the next file's first.
    position = next(i for i, line in enumerate(log.lines) if line[0] > file)
    return gone(log, position), 1


@tampering
def head_pruned(log):
    files = sorted({line[0] for line in log.lines})
    if len(files) < 2:
        return SKIP
    kept = log.rng.randint(1, len(files) - 1)
    log.lines = [line for line in log.lines if line[0] in files[kept:]]
    log.older = []
    return "head_missing", 1


@tampering
def duplicated(log):
    position = place(log.rng, len(log.lines))
    log.lines.insert(position + 1, list(log.lines[position]))
    return "duplicated", 1


@tampering
def duplicated_far(log):
    if len(log.lines) < 3:
        return SKIP
    position = log.rng.randrange(len(log.lines) - 1)
    to = place(log.rng, len(log.lines) - position - 1) + position + 1
    log.lines.insert(to + 1, [log.lines[to][0], *log.lines[position][1:]])
    return "duplicated", 1


@tampering
def duplicated_run(log):
    """Some lines are there twice, the copies together: the first copy is told of, the others follow it."""
    start = place(log.rng, len(log.lines))
    end = min(len(log.lines), start + log.rng.randint(2, 6))
    file = log.lines[end - 1][0]
    log.lines[end:end] = [[file, *line[1:]] for line in log.lines[start:end]]
    return "duplicated", 1


@tampering
def copied_before(log):
    """A copy of a later line: the original stands where it belongs, so it is the copy that is in the wrong place."""
    if len(log.lines) < 3:
        return SKIP
    position = log.rng.randrange(2, len(log.lines))
    to = position - log.rng.randint(1, position - 1)
    log.lines.insert(to, [log.lines[to][0], *log.lines[position][1:]])
    return ahead(log, to, position - to), 1


@tampering
def swapped_neighbours(log):
    if len(log.lines) < 2:
        return SKIP
    position = place(log.rng, len(log.lines) - 1)
    a, b = log.lines[position], log.lines[position + 1]
    a[1:], b[1:] = b[1:], a[1:]
    return "reordered", 1


@tampering
def swapped_far(log):
    if len(log.lines) < 3:
        return SKIP
    first = log.rng.randrange(len(log.lines) - 2)
    second = log.rng.randrange(first + 2, len(log.lines))
    a, b = log.lines[first], log.lines[second]
    a[1:], b[1:] = b[1:], a[1:]
    distance = second - 1 - first
    return ahead(log, first, distance), 1 if distance <= NEIGHBOURS else ANY


@tampering
def moved_later(log):
    count = log.rng.choice([1, 1, 1, 2, 5])
    if len(log.lines) < count + 2:
        return SKIP
    start = place(log.rng, len(log.lines) - count)
    by = log.rng.randint(1, len(log.lines) - count - start)
    moved = [list(line) for line in log.lines[start : start + count]]
    rest = log.lines[:start] + log.lines[start + count :]
    file = rest[start + by - 1][0]
    log.lines = rest[: start + by] + [[file, *line[1:]] for line in moved] + rest[start + by :]
    # The line behind the gap follows the last of those that moved.
    distance = by + count - 1
    return ahead(log, start, distance), 1 if start > 0 or distance <= NEIGHBOURS else ANY


@tampering
def moved_earlier(log):
    count = log.rng.choice([1, 1, 1, 2, 5])
    if len(log.lines) < count + 2:
        return SKIP
    start = log.rng.randint(1, len(log.lines) - count)
    by = log.rng.randint(1, start)
    to = start - by
    moved = [list(line) for line in log.lines[start : start + count]]
    rest = log.lines[:start] + log.lines[start + count :]
    file = rest[to][0]
    log.lines = rest[:to] + [[file, *line[1:]] for line in moved] + rest[to:]
    distance = by + count - 1
    return ahead(log, to, distance), 1 if to > 0 or distance <= NEIGHBOURS else ANY

