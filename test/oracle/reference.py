"""What the writers' own verifiers answer, written from the recipes in docs/decisions/0011-hash-chains.md. Slow and simple on purpose.

Where a verifier would die of a line (not UTF-8, no object), that line is the break: decision 0011 says so of ours.
"""

import hashlib
import io
import json

import javascript

GENESIS = "0" * 64
AGENT_FIELDS = ["seq", "timestamp", "who", "what", "where", "why", "metadata", "previousHash"]


def sha(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def dashboard_hash(entry, previous):
    return sha(previous + json.dumps(entry, sort_keys=True))


def app_hash(entry, previous):
    return sha(f"{previous}:{json.dumps(entry, sort_keys=True)}")


def agent_hash(entry):
    chosen = {key: entry.get(key, javascript.UNDEFINED) for key in AGENT_FIELDS}
    return sha(javascript.stringify(chosen).encode("utf-8", "surrogatepass").decode("utf-8"))


def python_lines(data):
    """As iterating over a file in text mode: numbered, stripped, without the blank ones. None for one that is not UTF-8."""
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", errors="surrogateescape")
    for number, line in enumerate(text, start=1):
        bad = any("\udc80" <= c <= "\udcff" for c in line)
        line = line.strip()
        if bad:
            yield number, None
        elif line:
            yield number, line


def read_object(line):
    """None where it is no JSON object."""
    try:
        entry = json.loads(line) if line is not None else None
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


class Dies(Exception):
    """The reference has no answer at all."""


def has_integrity(data, key="_integrity_hash"):
    for _, line in python_lines(data):
        if line is None:
            raise Dies
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            return False
        if not isinstance(entry, (dict, list, str)):
            raise Dies
        return key in entry
    return False


def verify_lines(data, tip, follows):
    """(entries, line of the first break or None, the hash reached)."""
    entries = 0
    for number, line in python_lines(data):
        entry = read_object(line)
        stored = follows(entry, tip) if entry is not None else None
        if stored is None:
            return entries, number, tip
        tip = stored
        entries += 1
    return entries, None, tip


def dashboard_follows(key):
    def follows(entry, tip):
        stored = entry.pop(key, None)
        return stored if stored is not None and stored == dashboard_hash(entry, tip) else None

    return follows


def app_follows(entry, tip):
    stored, previous = entry.pop("hash", None), entry.pop("prev_hash", None)
    return stored if previous == tip and stored is not None and stored == app_hash(entry, previous) else None


def answer(checked, skipped, entries, file=None, line=None, genesis=None, last=None):
    return {"valid": line is None, "files_checked": checked, "files_skipped": skipped, "entries_checked": entries,
            "first_tampered_file": file, "first_tampered_line": line, "genesis_file": genesis, "last_verified": last}


def verify_dashboard(files, key="_integrity_hash"):
    """files: [(name, bytes)], the oldest first. "last_verified" is the hash of the last entry before the break."""
    tip, genesis = GENESIS, None
    checked = skipped = entries = 0
    for name, data in files:
        if genesis is None and not has_integrity(data, key):
            skipped += 1
            continue
        genesis = genesis or name
        count, line, tip = verify_lines(data, tip, dashboard_follows(key))
        checked += 1
        entries += count
        if line is not None:
            return answer(checked, skipped, entries, name, line, genesis, tip)
    return answer(checked, skipped, entries, genesis=genesis, last=tip)


def dashboard_tip(files, key="_integrity_hash"):
    """The reference goes on behind a break with the next file, and past any file without hashes."""
    tip = GENESIS
    for _, data in files:
        if has_integrity(data, key):
            tip = verify_lines(data, tip, dashboard_follows(key))[2]
    return tip


def verify_app(files):
    tip = None
    entries = 0
    for index, (name, data) in enumerate(files, start=1):
        count, line, tip = verify_lines(data, tip, app_follows)
        entries += count
        if line is not None:
            return answer(index, 0, entries, name, line, files[0][0], tip or "None")
    return answer(len(files), 0, entries, genesis=files[0][0], last=tip or "None")


def verify_agent(files):
    (name, data), = files
    content = data.decode("utf-8", "replace").strip(javascript.SPACE)
    tip, entries = "GENESIS", 0
    for number, line in enumerate(content.split("\n") if content else [], start=1):
        try:
            entry = javascript.parse(line)
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, dict) or entry.get("previousHash") != tip or agent_hash(entry) != entry.get("hash"):
            return answer(1, 0, entries, name, number, name, tip)
        tip = entry["hash"]
        entries += 1
    return answer(1, 0, entries, genesis=name, last=tip)


def verify(scheme, files):
    return {"loki-dashboard": verify_dashboard, "loki-agent": verify_agent, "app": verify_app}[scheme](files)
