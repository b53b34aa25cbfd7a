"""Tampering with hashes, and with what a line is; and several things at once."""

import json

import tampering as t
from tampering import ANY, SKIP, changed, dashboard, place, rewrite, spoiled, tampering


@tampering
def stripped(log):
    position = place(log.rng, len(log.lines))
    rewrite(log, position, lambda entry: entry.pop(log.hash_key))
    return spoiled(log, position, "stripped")


@tampering
def stripped_run(log):
    start = place(log.rng, len(log.lines))
    for position in range(start, min(len(log.lines), start + log.rng.randint(2, 12))):
        rewrite(log, position, lambda entry: entry.pop(log.hash_key))
    return spoiled(log, start, "stripped")


@tampering
def hashing_switched_off(log):
    """For some lines, or for the whole of a file: what comes behind goes on from the last hash."""
    rng = log.rng
    position = rng.randint(1, len(log.lines))
    if log.scheme != "loki-dashboard":
        return SKIP
    file = log.lines[position - 1][0]
    log.lines[position:position] = [[file, raw, None] for raw in log.plain(rng.randint(1, 20))]
    return "stripped", 1


@tampering
def switched_on_in_the_day(log):
    """The reference takes the whole first file for one from before hashes; the next does not begin at the start of the chain."""
    if not dashboard(log) or log.names[log.lines[0][0]] == log.names[log.lines[-1][0]]:
        return SKIP
    log.lines[0:0] = [[log.lines[0][0], raw, None] for raw in log.plain(log.rng.randint(1, 4))]
    return "head_missing", 1


@tampering
def hash_of_another_kind(log):
    position = place(log.rng, len(log.lines))
    other = log.rng.choice([5, 0, True, False, 1.5, [], {}, ["x"], ""])
    rewrite(log, position, lambda entry: entry.update({log.hash_key: other}))
    return changed(log, position), 1 if not dashboard(log) or position > 0 else ANY


@tampering
def hash_null(log):
    position = place(log.rng, len(log.lines))
    rewrite(log, position, lambda entry: entry.update({log.hash_key: None}))
    if dashboard(log):
        # The key is there, so the file is one with hashes; the value is none.
        return ("stripped", 1) if position > 0 else (ANY, ANY)
    return ANY, 1


@tampering
def hash_changed(log):
    position = place(log.rng, len(log.lines))
    stored = log.lines[position][2]
    shouted = stored.upper() if stored.upper() != stored else "A" * 64
    other = log.rng.choice([shouted, stored[:-1], stored + "0", " " + stored, "0" * 64, ("1" if stored[0] == "0" else "0") + stored[1:]])
    rewrite(log, position, lambda entry: entry.update({log.hash_key: other}))
    return changed(log, position), 1 if not dashboard(log) or position > 0 else ANY


@tampering
def hash_twice(log):
    """The last one counts."""
    position = place(log.rng, len(log.lines))
    file, raw, stored = log.lines[position]
    text = raw.decode("utf-8")
    key = log.rng.choice([log.hash_key, log.hash_key.replace("h", "\\u0068")])
    if log.rng.random() < 0.5:
        log.lines[position][1] = ("{" + f'"{key}": "{"0" * 64}", ' + text[1:]).encode("utf-8")
        return None, 0
    log.lines[position][1] = (text[:-1] + f', "{key}": "{"0" * 64}"' + "}").encode("utf-8")
    return changed(log, position), 1 if not dashboard(log) or position > 0 else ANY


@tampering
def predecessor_changed(log):
    key = {"loki-agent": "previousHash", "app": "prev_hash"}.get(log.scheme)
    position = place(log.rng, len(log.lines))
    if key is None or (log.scheme == "app" and position == 0):
        return SKIP
    other = log.rng.choice(["0" * 64, log.lines[position][2], "f" * 64, log.lines[0][2], 5, "", None])
    if log.parse(log.lines[position][1]).get(key) == other:
        return SKIP
    rewrite(log, position, lambda entry: entry.update({key: other}))
    return "edited", 1


GARBAGE = [b"garbage", b"{", b"}", b"{}x", b"[1, 2]", b"null", b"42", b'"text"', b"{'a': 1}", b'{"a": 1,}', b"-- cut --", b"\x00\x00\x00", b'{"a": NaN1}', b"\xff\xfe", b'"\xc3\x28"']


@tampering
def garbage_inserted(log):
    position = log.rng.randint(0, len(log.lines))
    file = log.lines[min(position, len(log.lines) - 1)][0]
    log.lines[position:position] = [[file, log.rng.choice(GARBAGE), None] for _ in range(log.rng.choice([1, 1, 2, 5]))]
    return spoiled(log, position, "malformed")


@tampering
def garbage_instead(log):
    position = place(log.rng, len(log.lines))
    log.lines[position][1] = log.rng.choice(GARBAGE)
    return spoiled(log, position, "malformed")


@tampering
def torn(log):
    """Cut in the middle: the last line, or the last one of a file, or any, as a crash or a full disk leaves it."""
    position = log.rng.choice([len(log.lines) - 1, place(log.rng, len(log.lines))])
    raw = log.lines[position][1]
    log.lines[position][1] = raw[: log.rng.randint(1, len(raw) - 1)]
    return spoiled(log, position, "malformed")


@tampering
def torn_and_gone_on(log):
    """The next writer's line stands on the same line as what the crash left."""
    if len(log.lines) < 3:
        return SKIP
    position = log.rng.randint(1, len(log.lines) - 2)
    raw = log.lines[position][1]
    log.lines[position][1] = raw[: log.rng.randint(1, len(raw) - 1)] + log.lines[position + 1][1]
    del log.lines[position + 1]
    return "malformed", 1


@tampering
def not_utf8(log):
    position = place(log.rng, len(log.lines))
    raw = log.lines[position][1]
    # Inside of a value that is hashed in every scheme.
    at = raw.index(b"2026")
    log.lines[position][1] = raw[:at] + log.rng.choice([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf0\x9f", b"\xc0\x80"]) + raw[at:]
    if log.scheme == "loki-agent":
        return "edited", 1
    return spoiled(log, position, "malformed")


BYTES = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\t", b"\r", b"\n", b"0", b"-", b".", b"e", b"u", b"N", b"\x00", b"\x1f", b"\x7f", b"\x80", b"\xc3", b"\xff", b"1.0", b"null", b"\\u0061",
         b"\xc2\xa0", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\xed\xa0\xbd", b"1e5", b"-0", b'"_integrity_hash": "x", ', b'"hash":null,']


@tampering
def mangled(log):
    """Bytes in a few lines replaced, put in or taken out: whether that is a break, and where, only the reference can say."""
    for _ in range(log.rng.choice([1, 1, 1, 2, 4])):
        position = place(log.rng, len(log.lines))
        raw = log.lines[position][1]
        at = log.rng.randrange(len(raw) + 1)
        put = log.rng.choice(BYTES) if log.rng.random() < 0.8 else b""
        log.lines[position][1] = raw[:at] + put + raw[at + log.rng.choice([0, 0, 1, 1, 2, 5]) :]
    return ANY, ANY


@tampering
def blank_lines(log):
    for _ in range(log.rng.randint(1, 3)):
        position = log.rng.randint(0, len(log.lines))
        file = log.lines[min(position, len(log.lines) - 1)][0]
        blank = log.rng.choice([b"", b"  ", b"\t", b"\x0c", b"\x1c", "\u2003".encode(), "\u0085".encode()])
        if log.scheme == "loki-agent":
            blank = log.rng.choice([b"", b" ", b"\t", "\ufeff".encode(), "\u2028".encode()])
        log.lines.insert(position, [file, blank, None])
    if log.scheme != "loki-agent":
        return None, 0
    # At the ends of the file they are trimmed; every run of them inside is a break.
    filled = [i for i, (_, _, stored) in enumerate(log.lines) if stored is not None]
    runs = sum(1 for a, b in zip(filled, filled[1:]) if b > a + 1)
    return ("malformed", runs) if runs else (None, 0)


@tampering
def other_line_ends(log):
    log.end = log.rng.choice([b"\r\n", b"\r\n", b"\r"])
    if log.end == b"\r" and log.scheme == "loki-agent":
        # All of it is one line.
        return ("malformed", 1) if len(log.lines) > 1 else (None, 0)
    return None, 0


@tampering
def no_last_line_end(log):
    log.last_end = False
    return None, 0


@tampering
def carriage_return_inside(log):
    """White space to JSON, the end of a line to Python."""
    position = place(log.rng, len(log.lines))
    raw = log.lines[position][1]
    log.lines[position][1] = raw[:1] + b"\r" + raw[1:]
    return (None, 0) if log.scheme == "loki-agent" else spoiled(log, position, "malformed")


@tampering
def spaces_around(log):
    position = place(log.rng, len(log.lines))
    around = log.rng.choice([b" ", b"\t", "\u00a0".encode(), "\u2028".encode(), b"\x0b", "\u3000".encode()])
    log.lines[position][1] = around + log.lines[position][1] + around
    if log.scheme == "loki-agent" and around.strip(b" \t") and (position or len(log.lines) > 1):
        # At the ends of the file it is trimmed, on the inner side of the line it is not.
        return "malformed", 1
    return None, 0


@tampering
def byte_order_mark(log):
    log.prefix = b"\xef\xbb\xbf"
    if log.scheme == "loki-agent":
        return None, 0
    return ("malformed", 1) if log.scheme == "app" else (ANY, ANY)


@tampering
def byte_order_mark_inside(log):
    position = place(log.rng, len(log.lines))
    log.lines[position][1] = b"\xef\xbb\xbf" + log.lines[position][1]
    if log.scheme == "loki-agent" and position == 0:
        return None, 0
    return spoiled(log, position, "malformed")


@tampering
def empty_files(log):
    """Of no entries at all: before the first hash they are skipped, behind it checked."""
    if not dashboard(log):
        return SKIP
    file = log.rng.randrange(len(log.names) + 1)
    log.names.insert(file, f"audit-2026-03-{file + 1:02d}.jsonl")
    for line in log.lines:
        if line[0] >= file:
            line[0] += 1
    log.lines.insert(next((i for i, line in enumerate(log.lines) if line[0] > file), len(log.lines)), [file, b"", None])
    return None, 0


@tampering
def several(log):
    """Two or three at once: the verdict is the reference's, the kinds are anybody's."""
    names = [name for name in t.TAMPERINGS if name != "several" and name not in ("other_line_ends", "nothing")]
    for name in log.rng.sample(names, log.rng.randint(2, 3)):
        try:
            done = t.TAMPERINGS[name](log)
        except (ValueError, KeyError, IndexError, AssertionError, json.JSONDecodeError, TypeError, AttributeError):
            return SKIP
        if done == SKIP or not log.lines:
            return SKIP
    return ANY, ANY
