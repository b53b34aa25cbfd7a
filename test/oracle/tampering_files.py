"""What happens to whole files."""

from tampering import SKIP, changed, dashboard, edit, tampering


def with_file(log, file, lines):
    """Another file in this place, with these [(bytes, hash)]; all get names that say their order."""
    for line in log.lines:
        line[0] += line[0] >= file
    position = next((i for i, line in enumerate(log.lines) if line[0] > file), len(log.lines))
    log.lines[position:position] = [[file, *each] for each in lines]
    log.name(len(log.names) + 1)
    return position


def last_file(log):
    return log.lines[-1][0]


@tampering
def file_without_hashes(log):
    """Hashing was off for as long as it was written: what comes behind goes on from the last hash."""
    if not dashboard(log):
        return SKIP
    with_file(log, log.rng.randint(1, last_file(log) + 1), [(raw, None) for raw in log.plain(log.rng.randint(1, 8))])
    return "stripped", 1


@tampering
def file_copied(log):
    """The same file once more, later: its first line is told of, the others follow it."""
    if log.scheme == "loki-agent":
        return SKIP
    file = log.rng.randint(0, last_file(log))
    copy = [(raw, stored) for of, raw, stored in log.lines if of == file]
    with_file(log, log.rng.randint(file + 1, last_file(log) + 1), copy)
    return "duplicated", 1


@tampering
def restarted_in_a_new_file(log):
    if log.scheme == "loki-agent":
        return SKIP
    with_file(log, last_file(log) + 1, log.write(log.rng.randint(1, 10)))
    return "restarted", 1


@tampering
def files_edited(log):
    """One entry in each of two files."""
    files = sorted({line[0] for line in log.lines})
    if len(files) < 2:
        return SKIP
    positions = []
    for file in sorted(log.rng.sample(files, 2)):
        here = [i for i, line in enumerate(log.lines) if line[0] == file]
        positions.append(log.rng.choice(here))
        edit(log, positions[-1])
    return changed(log, positions[0]), 2


@tampering
def forked_in_another_file(log):
    """A second writer with a file of its own, written after all the others, that goes on from an earlier entry."""
    if log.scheme == "loki-agent" or len(log.lines) < 2:
        return SKIP
    tip = log.rng.randint(1, len(log.lines) - 1)
    with_file(log, last_file(log) + 1, log.write(log.rng.randint(1, 6), log.lines[tip - 1][2], tip))
    return "forked", 1
