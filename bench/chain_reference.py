"""What the writers' verifiers do, entry by entry, and the CPU time it takes: python3 chain_reference.py SCHEME FILE."""

import hashlib
import json
import sys
import time

scheme, path = sys.argv[1:]
begin = time.process_time()
previous = "0" * 64 if scheme == "loki-dashboard" else None
entries = 0
with open(path, encoding="utf-8") as file:
    for line in file:
        line = line.strip()
        if not line:
            continue
        entry = json.loads(line)
        if scheme == "loki-dashboard":
            stored = entry.pop("_integrity_hash", None)
            text = previous + json.dumps(entry, sort_keys=True, default=str)
        else:
            stored = entry.pop("hash", None)
            text = f"{entry.pop('prev_hash', None)}:{json.dumps(entry, sort_keys=True)}"
        if stored != hashlib.sha256(text.encode("utf-8")).hexdigest():
            break
        previous = stored
        entries += 1
print(json.dumps({"entries": entries, "seconds": time.process_time() - begin}))
