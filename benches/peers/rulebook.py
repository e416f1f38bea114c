#!/usr/bin/env python3
"""Times ansible-rulebook's rules engine: {count, events, event} on standard input, the microseconds of CPU that an event takes on standard output.

The same rulebook is run twice, with few events and with many, and the difference is divided, so that the start of Python and Java does not count. The
events come from a source of our own that hands them on as fast as they are taken; no rule matches, so that no action is run.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile


def rulebook(count):
    def rule(number):
        return {
            "name": f"r{number:04}",
            "condition": f'event.service.state == "CRITICAL" and event.host.name == "wn{number:04}"'
            ' and event.service.output is search("orphan", ignorecase=false)',
            "action": {"none": {}},
        }

    return [
        {
            "name": "bench",
            "hosts": "all",
            "sources": [{"events": {}}],
            "rules": [rule(number) for number in range(count)],
        }
    ]


SOURCE = '''
import asyncio, json, os

async def main(queue, args):
    event = json.loads(os.environ["BENCH_EVENT"])
    for number in range(int(os.environ["BENCH_EVENTS"])):
        await queue.put(dict(event, number=number))
        if number % 100 == 0:
            await asyncio.sleep(0)
'''


def run(place, program, events, event):
    environment = dict(os.environ, BENCH_EVENT=json.dumps(event), BENCH_EVENTS=str(events))
    if "JAVA_HOME" not in environment:
        environment["JAVA_HOME"] = os.path.dirname(os.path.dirname(os.path.realpath(shutil.which("java"))))
    environment["PATH"] = os.path.dirname(program) + os.pathsep + environment["PATH"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [program, "--rulebook", "rulebook.yml", "-i", "inventory.yml", "-S", place],
        cwd=place, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=600,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    request = json.load(sys.stdin)
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as place:
        with open(os.path.join(place, "rulebook.yml"), "w") as file:
            json.dump(rulebook(request["count"]), file)
        with open(os.path.join(place, "inventory.yml"), "w") as file:
            file.write("all:\n  hosts:\n    localhost:\n")
        with open(os.path.join(place, "events.py"), "w") as file:
            file.write(SOURCE)
        times = []
        for _ in range(3):
            few, many = (run(place, program, events, request["event"]) for events in (100, 100 + request["events"]))
            times.append((many - few) * 1e6 / request["events"])
        print(json.dumps({"us": sorted(times)[1], "all": times}))


main()
