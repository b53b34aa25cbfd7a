"""Chained logs as the three writers write them."""

import json

import javascript
import reference
import values

ACTIONS = ["create", "update", "delete", "login", "logout", "read", "stop"]


class Log:
    """Files and their lines. A line is [index of its file, bytes without its end, the hash it was written with or None]."""

    def __init__(self, rng, scheme, hash_key):
        self.rng, self.scheme, self.hash_key = rng, scheme, hash_key
        self.names = []
        self.lines = []
        # Files from before hashes, older than all the others: [(name, bytes)].
        self.older = []
        self.end, self.last_end, self.prefix = b"\n", True, b""
        self.nasty = rng.random() < 0.6
        self.clock = 0

    def name(self, count):
        """Gives so many files their names, the oldest first."""
        if self.scheme == "loki-dashboard":
            self.names = dashboard_names(self.rng, count)
        elif self.scheme == "app":
            self.names = [f"audit.log.{n}" for n in range(count - 1, 0, -1)] + ["audit.log"]
        else:
            self.names = ["audit.jsonl"]

    def fields(self):
        rng = self.rng
        self.clock += rng.randint(1, 5000)
        day, rest = divmod(self.clock, 86_400_000)
        seconds, ms = divmod(rest, 1000)
        self.time = f"2026-02-{day + 1:02d}T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"
        if self.scheme == "loki-dashboard":
            return {"timestamp": self.time + "456+00:00", "action": rng.choice(ACTIONS), "resource_type": "session", "resource_id": rng.choice([None, f"r-{rng.randint(0, 99)}"]),
                    "user_id": values.scalar(rng, self.nasty) if self.nasty else "alice", "token_id": None, "ip_address": "10.0.0.7",
                    "user_agent": None, "success": rng.random() < 0.9, "error": None, "details": values.mapping(rng, self.nasty)}
        if self.scheme == "app":
            return {"timestamp": self.time + "456+00:00", "service": "billing", "event_type": "data_access", "user": "alice", "action": rng.choice(ACTIONS),
                    "result": "success", "metadata": values.mapping(rng, self.nasty)}
        metadata = values.mapping(rng, self.nasty) if rng.random() < 0.8 else None
        return {"timestamp": self.time + "Z", "who": rng.choice(["李雷", "agent-1", "\ud800", "a/b"]), "what": rng.choice(ACTIONS), "where": rng.choice([None, "C:\\x", "/repo"]),
                "why": rng.choice([None, 'because "x"', "é"]), "metadata": javascript.parse(javascript.stringify(metadata))}

    def line(self, fields, previous, seq=0):
        """(bytes, hash) of an entry with these fields behind the hash `previous` (None: genesis)."""
        if self.scheme == "loki-dashboard":
            stored = reference.dashboard_hash(fields, previous or reference.GENESIS)
            return json.dumps({**fields, self.hash_key: stored}).encode(), stored
        if self.scheme == "app":
            stored = reference.app_hash(fields, previous)
            return json.dumps({**fields, "prev_hash": previous, "hash": stored}).encode(), stored
        entry = {"seq": seq, **fields, "previousHash": previous or "GENESIS"}
        stored = reference.agent_hash(entry)
        return javascript.stringify({**entry, "hash": stored}).encode("utf-8"), stored

    def write(self, count, previous=None, seq=0):
        """[(bytes, hash)] of so many entries that go on from `previous`."""
        out = []
        for i in range(count):
            raw, previous = self.line(self.fields(), previous, seq + i)
            out.append((raw, previous))
        return out

    def plain(self, count):
        """Entries without a hash, as written before there was one."""
        return [json.dumps(self.fields()).encode() for _ in range(count)]

    def parse(self, raw):
        return (javascript.parse if self.scheme == "loki-agent" else json.loads)(raw.decode("utf-8"))

    def print(self, entry):
        return javascript.stringify(entry).encode("utf-8") if self.scheme == "loki-agent" else json.dumps(entry).encode()

    def first_of_file(self, position):
        """Whether nothing stands before it in its file."""
        return position == 0 or self.lines[position - 1][0] != self.lines[position][0]

    def starts(self):
        """Positions of the lines that begin a file."""
        return [i for i in range(len(self.lines)) if self.first_of_file(i)]

    def files(self):
        """[(name, bytes)], the oldest first; files without any line are not there."""
        out = list(self.older)
        for index, name in enumerate(self.names):
            lines = [raw for file, raw, _ in self.lines if file == index]
            if not lines:
                continue
            data = self.end.join(lines) + self.end
            out.append((name, data))
        if out and not self.last_end:
            name, data = out[-1]
            out[-1] = (name, data.removesuffix(self.end))
        if self.prefix and out:
            out[0] = (out[0][0], self.prefix + out[0][1])
        return out


def dashboard_names(rng, count):
    """Days, some of them rotated by size once or more, in the order they were written."""
    names, day = [], 1
    while len(names) < count:
        at = rng.randint(0, 4)
        for _ in range(rng.choice([0, 0, 1, 2])):
            at += rng.randint(1, 6)
            names.append(f"audit-2026-02-{day:02d}.{at:02d}{rng.randint(0, 59):02d}{rng.randint(0, 59):02d}.jsonl")
        names.append(f"audit-2026-02-{day:02d}.jsonl")
        day += rng.choice([1, 1, 2, 5])
    return names[:count]


def make(rng, scheme):
    files = 1 if scheme == "loki-agent" else rng.choice([1, 1, 2, 3, 3, 5])
    hash_key = "_integrity_hash" if scheme == "loki-dashboard" else "hash"
    if scheme == "loki-dashboard" and rng.random() < 0.06:
        hash_key = "chain_hash"
    log = Log(rng, scheme, hash_key)
    log.name(files)
    # Few entries most of the time; with more than 64 the limit of a neighbourhood is inside.
    count = rng.choice([files, rng.randint(files, files + 8), rng.randint(files, 50), rng.randint(files + 20, 100), rng.randint(files + 80, 260)])
    cuts = sorted(rng.sample(range(1, count), files - 1)) if files > 1 else []
    file = 0
    for i, (raw, stored) in enumerate(log.write(count)):
        file += 1 if i in cuts else 0
        log.lines.append([file, raw, stored])
    if scheme == "loki-dashboard" and hash_key == "_integrity_hash" and rng.random() < 0.2:
        for n in range(rng.randint(1, 2)):
            content = b"\n".join(log.plain(rng.randint(0, 5))) + b"\n"
            log.older.append((f"audit-2026-01-{20 + n}.jsonl", content))
    return log
