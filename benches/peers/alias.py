"""Times a loop over regular expressions: reads {expressions, hits, misses} from standard input, prints microseconds a line."""

import json
import re
import sys
import time

asked = json.load(sys.stdin)
compiled = [re.compile(expression, re.IGNORECASE) for expression in asked["expressions"]]


def first(line):
    for expression in compiled:
        match = expression.match(line)
        if match:
            return match.groups()
    return None


def measure(lines):
    few = lines[:: max(1, len(lines) // 50)]
    times = []
    for _ in range(5):
        began = time.perf_counter()
        for line in few:
            first(line)
        times.append((time.perf_counter() - began) * 1e6 / len(few))
    return sorted(times)[2]


assert first(asked["hits"][-1]) is not None
print(json.dumps({"hit": measure(asked["hits"]), "miss": measure(asked["misses"])}))
