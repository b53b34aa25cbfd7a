"""Other writers, new beginnings, and hashes made again."""

from tampering import SKIP, dashboard, edit, gone, place, tampering


def previous_of(log, position):
    return log.lines[position - 1][2] if position > 0 else None


def interleaved(log, position, writers):
    """From `position` on, the lines that are there and those of other writers, in any order that keeps each writer's own."""
    rng = log.rng
    own = [line[1:] for line in log.lines[position:]]
    files = [line[0] for line in log.lines[position:]]
    strands = [own] + writers
    if rng.random() < 0.3:
        order = [i for i, strand in enumerate(strands) for _ in strand]
    else:
        order = [i for i, strand in enumerate(strands) for _ in strand]
        rng.shuffle(order)
    left = [list(strand) for strand in strands]
    mixed = [left[i].pop(0) for i in order]
    log.lines[position:] = [[files[min(i, len(files) - 1)], *each] for i, each in enumerate(mixed)]


@tampering
def forked(log):
    if len(log.lines) < 2:
        return SKIP
    position = log.rng.randint(1, len(log.lines) - 1)
    count = log.rng.choice([1, 1, 2])
    writers = []
    for _ in range(count):
        strand = log.write(log.rng.randint(1, 12), previous_of(log, position), position)
        writers.append([list(each) for each in strand])
    interleaved(log, position, writers)
    return "forked", count


@tampering
def forked_late(log):
    """A writer that slept goes on from where it was, once, while the other has gone on for long."""
    if len(log.lines) < 4:
        return SKIP
    tip = log.rng.randint(1, len(log.lines) - 2)
    position = log.rng.randint(tip + 1, len(log.lines))
    strand = log.write(log.rng.randint(1, 5), previous_of(log, tip), tip)
    file = log.lines[position - 1][0]
    log.lines[position:position] = [[file, *each] for each in strand]
    return "forked", 1


@tampering
def forked_at_the_start(log):
    """Two writers that both began: to whoever reads it, the second starts anew."""
    strand = log.write(log.rng.randint(1, 12))
    interleaved(log, 0, [[list(each) for each in strand]])
    return "restarted", 1


@tampering
def restarted(log):
    count = log.rng.choice([1, 1, 2])
    for _ in range(count):
        file = log.lines[-1][0]
        log.lines += [[file, *each] for each in log.write(log.rng.randint(1, 10))]
    return "restarted", count


@tampering
def rehashed(log):
    """One entry edited and given its right hash again: the next one no longer follows."""
    position = place(log.rng, len(log.lines))
    stored = log.lines[position][2]
    edit(log, position)
    _again(log, position, previous_of(log, position))
    if log.lines[position][2] == stored:
        # What was edited is the sequence number, which was given anew.
        return SKIP
    if position == len(log.lines) - 1:
        return None, 0
    if log.scheme == "loki-agent":
        return "edited", 1
    return gone(log, position + 1), 1


@tampering
def rehashed_to_the_end(log):
    """Whoever can hash can forge, unless somebody else has kept the tip."""
    position = place(log.rng, len(log.lines))
    edit(log, position)
    for each in range(position, len(log.lines)):
        _again(log, each, previous_of(log, each))
    return None, 0


def _again(log, position, previous):
    entry = log.parse(log.lines[position][1])
    for key in (log.hash_key, "prev_hash", "previousHash", "seq"):
        if not dashboard(log) or key == log.hash_key:
            entry.pop(key, None)
    raw, stored = log.line(entry, previous, position)
    log.lines[position][1:] = [raw, stored]
