"""Makes test/corpora/python-json.jsonl: JSON texts, and what Python prints of them.

    python3 test/oracle/python_json.py [SEED] > test/corpora/python-json.jsonl

A line is {"in": text, "out": canonical}, with "without": [key] where that key was taken out before printing, or
{"in": text, "refused": true} where json.loads raises a JSONDecodeError. Run again only to add cases: the table is the evidence.
"""

import json
import math
import random
import struct
import sys

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 20260212
rng = random.Random(SEED)
seen = set()


def row(text, without=None):
    key = (text, without)
    if key in seen:
        return
    seen.add(key)
    text.encode("utf-8")
    out = {"in": text}
    try:
        value = json.loads(text)
        if without is not None:
            value.pop(without, None)
            out["without"] = [without]
        out["out"] = json.dumps(value, sort_keys=True)
    except json.JSONDecodeError:
        out["refused"] = True
    print(json.dumps(out))


def double(bits):
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


def a_double():
    while True:
        value = double(rng.getrandbits(64))
        if math.isfinite(value):
            return value


def numbers():
    for token in """0 -0 0.0 -0.0 0e0 -0e0 0E5 0.0e-5 -0.0E+5 1 -1 1.0 -1.0 100.00 1.10 0.1e1 10e-1 1E5 1e5 1e+5 1E+05 1e-5 1e-05 1E-005
        0.0001 0.00001 0.00012345 0.000099999 9.999e-5 1e15 1e16 1e17 1e+16 1e-16 999999999999999.9 9999999999999998.0 9999999999999999.0
        9999999999999999 10000000000000000.0 10000000000000001.0 123456789012345678.0 1e21 1e22 1e23 9e22 1e400 -1e400 1e-400 -1e-400
        1.7976931348623157e308 1.7976931348623158e308 1.7976931348623159e308 1.797693134862315708145274237317043567981e+308 1e308 1e309
        5e-324 4.9e-324 2.5e-324 2.4703282292062327e-324 2.4703282292062328e-324 2.2250738585072014e-308 2.2250738585072011e-308 3e-324
        123456789012345678901234567890 -123456789012345678901234567890 9007199254740991 9007199254740992 9007199254740993 -9007199254740993
        9007199254740993.0 18446744073709551616 0.1 0.2 0.3 0.30000000000000004 1e-7 1e-6 123456.789e3 5e-1 1.5e300 3.14159 2.5 1e2 1.e2 1.
        .5 01 -01 00 +1 1e 1e+ 1e- - -- 0x10 1_000 1e5.5 NaN Infinity -Infinity -NaN +Infinity nan inf null true false True None nul truee
        9223372036854775807 9223372036854775808 1e0 -1e0 1e00 1e+00 1e-00 1e000000000000000000005 0e999999999999 1e-999999999999""".split():
        row(token)
    for digits in (20, 40, 310, 1000, 4299, 4300):
        row(str(rng.randint(1, 9)) + "".join(str(rng.randint(0, 9)) for _ in range(digits - 1)))
    row("-" + "9" * 4300)
    row("0." + "0" * 400 + "1")
    row("0." + "".join(str(rng.randint(0, 9)) for _ in range(900)))
    row("1" + "0" * 400 + ".0")
    row("1" + "0" * 400 + "e-400")
    for power in range(-326, 311):
        row(f"1e{power}")
        if power % 4 == 0:
            row(f"{rng.randint(1, 9)}.{rng.randint(1, 99)}E{power:+04d}")
    for power in list(range(-30, 30)) + list(range(-1074, 1024, 37)):
        value = math.ldexp(1.0, power)
        for near in (math.nextafter(value, 0), value, math.nextafter(value, math.inf)):
            row(repr(near))
    for power in range(-8, 24):
        value = float(f"1e{power}")
        for near in (math.nextafter(value, 0), math.nextafter(value, math.inf), -value):
            row(repr(near))
    for _ in range(700):
        row(repr(a_double()))
    for _ in range(150):
        row(f"{a_double():.17g}")
        row(f"{a_double():.25e}")
        row(f"{a_double():.{rng.randint(0, 16)}E}")
    for _ in range(200):
        row(repr(round(rng.uniform(-1e6, 1e6), rng.randint(0, 12))))
        row(repr(rng.uniform(0, 1) * 10 ** rng.randint(-10, 20)))
        row(f"{rng.randint(0, 10**rng.randint(1, 30))}.{rng.randint(0, 10**rng.randint(1, 12))}")
        row(str(rng.randint(-(10 ** rng.randint(1, 40)), 10**19)))
    # Half way between two doubles, and a digit away from it.
    for _ in range(60):
        bits = rng.getrandbits(52) | 0x4330000000000000
        value = int(double(bits))
        row(f"{value}.5")
        row(f"{value}.50000000000000000000000001")
        row(f"{value}.49999999999999999999999999")
    for _ in range(150):
        mantissa = rng.choice(["1", "12", "1.5", "0.25", "100.00", "-7", "9.000", "123456789"])
        row(f"{mantissa}{rng.choice('eE')}{rng.choice(['', '+', '-'])}{rng.choice(['', '0', '00'])}{rng.randint(0, 330)}")


ESCAPED = ["\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0000", "\\u001F", "\\u001f", "\\u0041", "\\u007f", "\\u0080",
           "\\u00E9", "\\u00e9", "\\u2028", "\\u2029", "\\uFFFF", "\\uFFFD", "\\uE000", "\\uD83D\\uDE00", "\\ud83d\\ude00", "\\ud83d",
           "\\ude00", "\\uDE00\\uD83D", "\\ud83dx", "\\ud83d\\n", "\\ud83d\\u0041", "\\uDBFF\\uDFFF", "\\ud800\\udc00", "\\ud800\\ud800\\udc00",
           "\\udc00\\udc00", "\\u005C", "\\u0022", "\\u002f", "\\uFEFF"]
RAW = ["a", "B", " ", "/", "'", "<", "&", "~", "\x7f", "\x80", "\x85", "\xa0", "é", "ß", "ı", "李雷", "\u2028", "\u2029", "\ufeff", "\ufffd",
       "\uffff", "\ue000", "\ufdd0", "😀", "\U00010000", "\U0010ffff", "e\u0301", "👩‍👩‍👧", "עב", "plain text", "0", "-", "{", "]", ",", ":"]
REFUSED = ['"\n"', '"\t"', '"\r"', '"\x00"', '"\x1f"', '"\\x41"', "\"\\'\"", '"\\u12"', '"\\u123g"', '"\\U00000041"', '"\\ud83d\\u"', '"\\ud83d\\u12"',
           '"\\', '"abc', "'a'", '"a" "b"', '"\\0"', '"\\ "', '"\\u 041"', '"\\u+041"', '"\\u٠٠٤١"', "\ufeff{}", "{}\ufeff", "\xa0{}", "{}\xa0", "\x0b{}",
           "\x0c1", "\u2028[]", "[1,]", "[,1]", "[1 2]", "[", "]", "[1", "[1}", "{", "}", '{"a"}', '{"a":}', '{"a":1,}', '{,"a":1}', '{"a" 1}', "{a:1}",
           '{"a":1 "b":2}', "{'a':1}", '{1:2}', '{"a":1]', "", " ", "{} {}", "{}x", "/*c*/{}", "{}//c", '{"a":1;}', "[1;2]", "[NaN,]", "[nan]", "[1.]",
           "[.5]", "[+1]", "[--1]", "[0x1]", "[1e]", "[01]", "[-]", "[Infinit]", "[-Inf]", "[undefined]", "{null:1}", '{"a"::1}', '{"a":1,,"b":2}', "[\\u0031]",
           "[１]", "[1٢]"]


def a_string():
    parts = [rng.choice(RAW) if rng.random() < 0.5 else rng.choice(ESCAPED) for _ in range(rng.randint(0, 6))]
    return '"' + "".join(parts) + '"'


def strings():
    for part in ESCAPED + RAW:
        row(f'"{part}"')
        row(f'["x{part}", "{part}y"]')
        row(f'{{"{part}": 1, "a": 2, "\\uffff": 3, "😀": 4, "{part}a": 5}}')
    for point in list(range(0x20, 0x100)) + list(range(0x2000, 0x2070)):
        if chr(point) not in '"\\':
            row(f'"<{chr(point)}>"')
    for point in range(0x00, 0x21):
        row(f'"\\u{point:04X}"')
    for text in REFUSED:
        row(text)
    for _ in range(400):
        row(a_string())


KEYS = ['"a"', '"\\u0061"', '"b"', '"aa"', '"ab"', '"a\\u0000"', '""', '" "', '"A"', '"_"', '"Z"', '"é"', '"\\u00e9"', '"\\u00E9"', '"e\u0301"', '"z"',
        '"\uffff"', '"\\uFFFF"', '"😀"', '"\\ud83d\\ude00"', '"\\ud83d"', '"\\ude00"', '"\\ud83da"', '"\\ud83d\uffff"', '"\ue000"', '"\U00010000"',
        '"\\ud800"', '"\\udfff"', '"1"', '"10"', '"2"', '"-1"', '"01"', '"__proto__"', '"constructor"', '"toString"', '"hasOwnProperty"', '"\\"q\\""',
        '"\\\\"', '"\\/"', '"/"', '"\\n"', '"\\u000A"', '"abc"', '"abcd"', '"\x7f"', '"~"', '"4294967294"', '"4294967295"', '"9007199254740993"',
        '"_integrity_hash"', '"_integrity_has"', '"_integrity_hash2"', '"\\u005fintegrity_hash"', '"_integrity_has\\u0068"', '"😀a"', '"😀😀"', '"a😀"', '"a\uffff"']
SCALARS = ["null", "true", "false", "0", "-0", "-0.0", "1", "1.0", "1e+16", "1E5", "NaN", "-Infinity", "Infinity", "9007199254740993", "1e400", "0.00001", '""']


def space():
    return "" if rng.random() < 0.7 else "".join(rng.choice(" \t\r\n") for _ in range(rng.randint(1, 3)))


def a_value(depth):
    kind = rng.random()
    if depth <= 0 or kind < 0.4:
        return rng.choice(SCALARS) if rng.random() < 0.7 else a_string()
    if kind < 0.6:
        return "[" + space() + ("," + space()).join(a_value(depth - 1) + space() for _ in range(rng.randint(0, 4))) + "]"
    return an_object(depth)


def an_object(depth, keys=KEYS, least=0):
    members = [f"{rng.choice(keys)}{space()}:{space()}{a_value(depth - 1)}{space()}" for _ in range(rng.randint(least, 6))]
    return "{" + space() + ("," + space()).join(members) + "}"


def structures():
    for text in ["{}", "[]", " {} ", "\t[\r\n]\n", "[[]]", "[{}]", '{"a":{}}', '{"a":[]}', "[[],[]]", "[[[]],{}]", '{"a":1,"a":2}', '{"a":1,"\\u0061":2}',
                 '{"\\u0061":1,"a":{"b":1,"b":2}}', '{"a":{"x":1},"a":{"y":2}}', '[{"b":1,"a":[{"d":1,"c":2}]}]', '{"b":1,"a":2,"b":3}', "[1,2,3]",
                 '{"é":1,"e\u0301":2}', '{"a":[1.0,{"b":-0,"a":1e5}]}', "[" * 200 + "]" * 200, '{"a":' * 200 + "1" + "}" * 200]:
        row(text)
    for i in range(0, len(KEYS)):
        for j in rng.sample(range(len(KEYS)), 5):
            row(f"{{{KEYS[i]}:1,{KEYS[j]}:2}}")
    for _ in range(400):
        row(an_object(4, least=1))
    for _ in range(100):
        row(space() + a_value(5) + space())
    for _ in range(40):
        row("{" + ",".join(f"{rng.choice(KEYS)}:{n}" for n in range(rng.randint(20, 80))) + "}")
    hashes = [key for key in KEYS if "integrity" in key]
    for _ in range(120):
        row(an_object(3, hashes + ['"a"', '"\\u0061"', '"~"', '"😀"'], 1), "_integrity_hash")


numbers()
strings()
structures()
