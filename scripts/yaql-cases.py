#!/usr/bin/env python3
"""Records what the reference of YAQL makes of expressions, for tests/data/yaql/cases.jsonl.

    yaql-cases.py < EXPRESSIONS > CASES     one expression a line; $ is tests/data/yaql/data.json

Needs `pip install yaql==3.2.0`. A case has a "value", or an "error", the name of the exception. What JSON does not have is a map with one
telling key: {"set": […]}, {"map": [[key, value], …]}, {"int": "…"}, {"float": "…"}, {"time": "…"}, {"span": "…"}. Left out is what only the
reference's process knows (addresses, what it takes too long for). docs/yaql.md tells what differs on purpose; such cases are taken out by hand.
"""
import collections.abc
import datetime
import json
import pathlib
import signal
import sys

import yaql
from yaql.language import factory, utils

LONGEST = 1000
OPTIONS = {"yaql.limitIterators": LONGEST, "yaql.memoryQuota": 2000000, "yaql.convertOutputData": False}
ENGINE = factory.YaqlFactory(allow_delegates=True).create(options=OPTIONS)
DATA = json.loads((pathlib.Path(__file__).parent.parent / "tests/data/yaql/data.json").read_text())


class Untold(Exception):
    """Nothing that a case could tell."""


def plain(value, depth=0):
    def all_of(items):
        return [plain(item, depth + 1) for item in utils.limit_iterable(items, LONGEST)]

    if depth > 60:
        raise Untold
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else {"int": str(value)}
    if isinstance(value, float):
        return value if value - value == 0 else {"float": repr(value)}
    if isinstance(value, datetime.datetime):
        return {"time": str(value)}
    if isinstance(value, datetime.timedelta):
        return {"span": str(value)}
    if isinstance(value, collections.abc.Mapping):
        return {"map": all_of(value.items())}
    if isinstance(value, collections.abc.MappingView):
        return all_of(list(value))
    if isinstance(value, collections.abc.Set):
        return {"set": sorted(all_of(value), key=json.dumps)}
    if isinstance(value, collections.abc.Iterable):
        return all_of(value)
    raise Untold


def outcome(expression):
    context = yaql.create_context(delegates=True)
    context["data"] = utils.convert_input_data(DATA)
    try:
        return {"value": plain(ENGINE(expression).evaluate(data=DATA, context=context))}
    except (Untold, MemoryError):
        return None
    except BaseException as error:
        # Those of dateutil and of codecs are value errors to whoever catches them.
        return {"error": "ValueError" if isinstance(error, ValueError) else type(error).__name__}


def too_long(*_):
    raise Untold


def main():
    signal.signal(signal.SIGALRM, too_long)
    for expression in dict.fromkeys(sys.stdin.read().splitlines()):
        signal.alarm(3)
        try:
            found = outcome(expression)
        except Untold:
            found = None
        signal.alarm(0)
        if found:
            print(json.dumps({"expression": expression, **found}, ensure_ascii=False))


main()
