"""Values that break naive verifiers, and other spellings of the same value."""

import json
import math
import struct

import javascript

NUMBERS = [0, 1, -1, 7, 2**31, 2**53, 2**53 + 1, -(2**53) - 1, 2**64, 10**21, 10**22, 123456789012345678901234567890, 0.0, -0.0, 1.0, 100.0, 0.1, -1.5e-10,
           1e15, 1e16, 1e17, 9999999999999998.0, 1e21, 1e22, 1e23, 1e-4, 1e-5, 1e-6, 1e-7, 0.00012345, 5e-324, 1.7976931348623157e308, 2.5, 3.14159, 1 / 3]
STRINGS = ["", "a", "plain text", "x" * 70, "caf\u00e9", "李雷", "😀", "\ud800 lone", "lone \udc00", "\udc00\ud800", "\u2028\u2029", "\x00\x01\x1f", "\x7f\x80\x85", "\b\f\n\r\t",
           'q"uo\\te', "/slash\\/", "\ufeffbom", "\uffff", "\U0010ffff", "1.0", "null", "NaN", "\\u0041", "a\u0300", "</script>", "{}", "_integrity_hash", " x "]
KEYS = ["a", "b", "ab", "A", "Z", "_", "", "é", "e\u0301", "\uffff", "\ue000", "😀", "😀a", "\ud83d", "\ude00", "\U00010000", "1", "2", "10", "01", "-1", "4294967294", "4294967295",
        "__proto__", "constructor", "toString", '"q"', "\\", "\n", "\x7f", "hash", "prev_hash", "previousHash", "_integrity_hash", "chain_hash", "seq", "k k"]


def double(rng):
    while True:
        value = struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0]
        if math.isfinite(value):
            return value


def scalar(rng, nasty):
    kind = rng.random()
    if not nasty:
        return rng.choice([None, True, False, rng.randint(0, 1000), "plain text", "alice", round(rng.uniform(0, 100), 2)])
    if kind < 0.1:
        return rng.choice([None, True, False])
    if kind < 0.35:
        return rng.choice(NUMBERS)
    if kind < 0.45:
        return double(rng) if rng.random() < 0.5 else rng.randint(-(10**25), 10**25)
    if kind < 0.48:
        return rng.choice([math.nan, math.inf, -math.inf])
    if kind < 0.9:
        return rng.choice(STRINGS)
    return "".join(rng.choice(STRINGS) for _ in range(3))


def value(rng, nasty, depth=3):
    kind = rng.random()
    if depth <= 0 or kind < 0.6:
        return scalar(rng, nasty)
    if kind < 0.75:
        return [value(rng, nasty, depth - 1) for _ in range(rng.randint(0, 4))]
    return mapping(rng, nasty, depth - 1)


def mapping(rng, nasty, depth=2):
    keys = KEYS if nasty else ["n", "note", "provider", "parallel", "path"]
    return {rng.choice(keys) + (str(rng.randint(0, 99)) if rng.random() < 0.3 else ""): value(rng, nasty, depth) for _ in range(rng.randint(0, 5))}


def space(rng, wide):
    if rng.random() < 0.6:
        return ""
    # A carriage return ends a line in Python's text mode.
    return "".join(rng.choice(" \t\r" if wide else " \t") for _ in range(rng.randint(1, 3)))


def spell_string(rng, text):
    out = []
    for c in text:
        kind = rng.random()
        if c in '"\\' or c < " ":
            out.append(f"\\u{ord(c):04X}" if kind < 0.3 else json.dumps(c)[1:-1])
        elif "\ud800" <= c <= "\udfff":
            out.append(f"\\u{ord(c):04x}" if kind < 0.5 else f"\\u{ord(c):04X}")
        elif kind < 0.2:
            out.append("".join(f"\\u{unit:04X}" for unit in struct.unpack(f">{len(c.encode('utf-16-be')) // 2}H", c.encode("utf-16-be"))))
        elif c == "/" and kind < 0.6:
            out.append("\\/")
        elif kind < 0.6:
            out.append(c)
        else:
            out.append(json.dumps(c)[1:-1])
    return '"' + "".join(out) + '"'


def spell_number(rng, number):
    if isinstance(number, int):
        return "-0" if number == 0 and rng.random() < 0.3 else str(number)
    if not math.isfinite(number):
        return {"inf": "1e400", "-inf": "-1e999"}.get(str(number), "NaN") if rng.random() < 0.5 else json.dumps(number)
    return rng.choice([repr(number), f"{number:.17e}", f"{number:.20E}", repr(number).replace("e", "E"), f"{number:.17e}".replace("e+", "e").replace("e", "e00")
                       if "e+" in f"{number:.17e}" else repr(number)])


def spell(rng, item, scheme):
    """Other bytes for the same value, as the scheme's verifier sees it: white space, escapes, spelling of numbers, and for Python the order of keys."""
    javascripts = scheme == "loki-agent"
    if item is None or isinstance(item, bool):
        return json.dumps(item)
    if isinstance(item, str):
        return spell_string(rng, item)
    if isinstance(item, (int, float)):
        return spell_number(rng, item)
    gap = lambda: space(rng, javascripts)
    if isinstance(item, list):
        return "[" + gap() + ",".join(gap() + spell(rng, each, scheme) + gap() for each in item) + "]"
    members = list(item.items())
    if not javascripts:
        rng.shuffle(members)
    return "{" + gap() + ",".join(f"{gap()}{spell_string(rng, key)}{gap()}:{gap()}{spell(rng, each, scheme)}{gap()}" for key, each in members) + "}"


def respelled(rng, raw, scheme):
    """A line of other bytes that means the same. Members above all may change places in every scheme."""
    parse = javascript.parse if scheme == "loki-agent" else json.loads
    entry = parse(raw.decode("utf-8"))
    members = list(entry.items())
    rng.shuffle(members)
    text = spell(rng, dict(members), scheme)
    if rng.random() < 0.3:
        # Of duplicates the last counts.
        key, old = rng.choice(members)
        text = "{" + spell_string(rng, key) + ":" + spell(rng, rng.choice([old, None, 1.5, "x"]), scheme) + ("," if members else "") + text[text.index("{") + 1 :]
    # What is printed of it has not changed, or this is no respelling.
    assert json.dumps(parse(text), sort_keys=True) == json.dumps(entry, sort_keys=True), (raw, text)
    return text.encode("utf-8")
