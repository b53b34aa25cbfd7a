"""JSON as JavaScript reads and prints it, as far as the agent's chain needs it: JSON.parse, JSON.stringify, String.prototype.trim."""

import json
import re

SPACE = "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
UNDEFINED = object()
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")


def _refuse(token):
    raise ValueError(token)


def parse(text):
    """Raises ValueError as JSON.parse throws. Numbers are floats, as there."""
    return json.loads(text, parse_int=float, parse_float=float, parse_constant=_refuse)


def number(value):
    """As Number.prototype.toString: the same shortest digits as repr, other limits for the exponent."""
    if value != value or value in (float("inf"), float("-inf")):
        return "null"
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    digits = (whole + fraction).lstrip("0")
    # The point stands behind so many of the digits.
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    power = point - 1
    tail = "." + digits[1:] if count > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if power >= 0 else '-'}{abs(power)}"


def string(text):
    out = ['"']
    for c in text:
        if c in _SHORT:
            out.append(_SHORT[c])
        elif c < " " or "\ud800" <= c <= "\udfff":
            out.append(f"\\u{ord(c):04x}")
        else:
            out.append(c)
    out.append('"')
    return "".join(out)


def _is_index(key):
    return _INDEX.fullmatch(key) is not None and int(key) < 2**32 - 1


def stringify(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number(float(value))
    if isinstance(value, str):
        return string(value)
    if isinstance(value, list):
        return "[" + ",".join(map(stringify, value)) + "]"
    indices = sorted((key for key in value if _is_index(key)), key=int)
    keys = indices + [key for key in value if not _is_index(key)]
    return "{" + ",".join(f"{string(key)}:{stringify(value[key])}" for key in keys if value[key] is not UNDEFINED) + "}"
