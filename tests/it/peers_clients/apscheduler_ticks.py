"""What APScheduler 3 says when timers tick: as many made-up timers as asked for, one a line in JSON.

usage: apscheduler_ticks.py SEED COUNT
"""

import json
import random
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

RANGES = {
    "year": (2024, 2034),
    "month": (1, 12),
    "day": (1, 31),
    "week": (1, 53),
    "day_of_week": (0, 6),
    "hour": (0, 23),
    "minute": (0, 59),
    "second": (0, 59),
}
# How often a field is given.
WEIGHTS = {"year": 0.06, "month": 0.25, "day": 0.3, "week": 0.08, "day_of_week": 0.3, "hour": 0.6, "minute": 0.6, "second": 0.3}
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
WEEKDAYS = "mon tue wed thu fri sat sun".split()
ZONES = ["UTC", "Asia/Tokyo", "Asia/Kolkata", "Europe/Zurich", "America/New_York", "Australia/Lord_Howe"]
UNITS = ["seconds", "minutes", "hours", "days", "weeks"]


def part(draw, field):
    least, most = RANGES[field]
    one, other = draw.randint(least, most), draw.randint(least, most)
    # One in twenty is the wrong way round, or a little too great.
    first, last = (one, other) if draw.random() < 0.05 else (min(one, other), max(one, other))
    if draw.random() < 0.01:
        last = most + draw.randint(1, 3)
    kinds = ["number", "number", "range", "step", "range step", "from step", "any"]
    if field == "month":
        kinds += ["name", "names"]
    if field == "day_of_week":
        kinds += ["name", "names", "names"]
    if field == "day":
        kinds += ["last", "position", "position"]
    kind = draw.choice(kinds)
    names = MONTHS if field == "month" else WEEKDAYS
    case = draw.choice([str.lower, str.upper, str.title])
    return {
        "number": lambda: str(last),
        "range": lambda: f"{first}-{last}",
        "step": lambda: f"*/{draw.randint(0, max(2, (most - least) // 2))}",
        "range step": lambda: f"{first}-{last}/{draw.randint(1, max(1, last - first))}",
        "from step": lambda: f"{first}/{draw.randint(1, max(1, most - first))}",
        "any": lambda: "*",
        "name": lambda: case(draw.choice(names)),
        "names": lambda: "-".join(case(name) for name in sorted(draw.sample(names, 2), key=names.index)),
        "last": lambda: "last",
        "position": lambda: f"{draw.choice(['1st', '2nd', '3rd', '4th', '5th', 'last'])} {draw.choice(WEEKDAYS)}",
    }[kind]()


def cron(draw):
    parameters = {}
    for field, weight in WEIGHTS.items():
        if draw.random() < weight:
            parts = [part(draw, field) for _ in range(draw.choice([1, 1, 1, 2, 3]))]
            text = draw.choice([",", ", "]).join(parts)
            parameters[field] = int(text) if text.isdigit() and draw.random() < 0.5 else text
    return parameters


def case(draw):
    zone = draw.choice(ZONES)
    start = datetime(2024, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=draw.randint(0, 4 * 366 * 86400))
    if draw.random() < 0.15:
        unit, delta = draw.choice(UNITS), draw.randint(1, 100)
        trigger = IntervalTrigger(**{unit: delta}, start_date=start + timedelta(**{unit: delta}), timezone=zone)
        known = {"kind": "interval", "parameters": {"unit": unit, "delta": delta}}
    else:
        parameters = cron(draw)
        known = {"kind": "cron", "parameters": dict(parameters)}
        try:
            trigger = CronTrigger(**parameters, timezone=zone)
        except ValueError:
            return {**known, "zone": zone, "after": int(start.timestamp()), "ticks": None}
    ticks, last = [], start.astimezone(ZoneInfo(zone))
    for _ in range(4):
        try:
            last = trigger.get_next_fire_time(last if ticks or known["kind"] == "cron" else None, last)
        except (OverflowError, ValueError):
            last = None
        if last is None:
            ticks.append(None)
            break
        ticks.append(int(last.timestamp()))
    return {**known, "zone": zone, "after": int(start.timestamp()), "ticks": ticks}


def main():
    draw = random.Random(int(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        print(json.dumps(case(draw)))


main()
