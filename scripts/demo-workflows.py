#!/usr/bin/env python3
"""Writes workflows of 3, 30 and 300 tasks, one over a hundred items, and their aliases into a pack, for pictures of the chat page.

    scripts/demo-workflows.py PACK
"""
import pathlib
import sys

pack = pathlib.Path(sys.argv[1])


def workflow(name, line, text, more=""):
    (pack / "actions" / f"{name}.yaml").write_text(
        f"name: {name}\nrunner_type: orquesta\nentry_point: workflows/{name}.yaml\ndescription: {line}\n"
    )
    (pack / "actions/workflows" / f"{name}.yaml").write_text("version: 1.0\n" + more + "tasks:\n" + text)
    (pack / "aliases" / f"{name}.yaml").write_text(f"name: {name}\naction_ref: site.{name}\nformats: [{line}]\n")


def node(number):
    return f"wn{number:03}"


def task(name, action, then="", join=""):
    follows = f", next: [{{when: <% succeeded() %>, do: '{then}'}}]" if then else ""
    return f"  {name}: {{action: {action}{join}{follows}}}\n"


def command(name, host, what, then=""):
    follows = f"\n    next: [{{when: <% succeeded() %>, do: '{then}'}}]" if then else ""
    return f"  {name}:\n    action: core.remote\n    input: {{hosts: {host}, cmd: '{what}'}}{follows}\n"


FAILS = 'echo "kernel-core: no such package"; false'

workflow(
    "few",
    "mend wn003",
    command("drain", "wn003", "uptime", "repair")
    + command("repair", "wn003", "sleep 8; " + FAILS, "resume")
    + command("resume", "wn003", "uptime"),
)

text = task("plan", "core.noop", ", ".join(f"drain_{node(at)}" for at in range(1, 8)))
for at in range(1, 8):
    host = node(at)
    what = FAILS if at == 3 else "uname -r"
    text += command(f"drain_{host}", host, f"sleep {at % 3}; uptime", f"upgrade_{host}")
    text += command(f"upgrade_{host}", host, f"sleep {2 + at % 4}; {what}", f"reboot_{host}")
    text += command(f"reboot_{host}", host, f"sleep {4 + at % 5}; uptime", f"check_{host}")
    text += command(f"check_{host}", host, "uptime", "report")
text += "  report: {action: core.noop, join: all}\n"
workflow("thirty", "upgrade the rack", text)

text = task("begin", "core.noop", ", ".join(f"probe_{at:03}" for at in range(1, 150)))
for at in range(1, 150):
    what = FAILS if at in (42, 99) else "uptime"
    text += command(f"probe_{at:03}", node(at), f"sleep {9 if what == FAILS else 6 + at % 13}; {what}", f"report_{at:03}")
    text += task(f"report_{at:03}", "core.noop", "end")
text += "  end: {action: core.noop, join: all}\n"
workflow("hundreds", "probe everything", text)

hosts = ", ".join(node(at) for at in range(1, 101))
workflow(
    "items",
    "look everywhere",
    "  look:\n    with: {items: host in <% ctx(hosts) %>, concurrency: 12}\n    action: core.remote\n"
    "    input: {hosts: <% item(host) %>, cmd: 'sleep 3; uptime'}\n",
    f"vars: [{{hosts: [{hosts}]}}]\n",
)
