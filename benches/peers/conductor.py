"""Runs workflows with Orquesta's conductor, every action succeeding at once, and prints the seconds that each took.

One JSON object on stdin, {name: {"workflow": text, "inputs": {...}}}; one on stdout, {name: seconds}. The conductor is driven as
st2workflowengine drives it, without its database: an action is told to be running, then to have succeeded, and then the next are asked for.
"""
import collections.abc  # noqa: F401  (yaql 3.2.0 forgets to import it)
import json
import sys
import time

from orquesta import conducting, events, statuses
from orquesta.specs import loader


def run(case):
    spec = loader.get_spec_module("native").instantiate(case["workflow"])
    conductor = conducting.WorkflowConductor(spec, inputs=case["inputs"])
    began = time.perf_counter()
    conductor.request_workflow_status(statuses.RUNNING)
    running, results = [], {}

    def start():
        for task in conductor.get_next_tasks():
            for action in task["actions"]:
                key = (task["id"], task["route"], action.get("item_id"), task.get("items_count"))
                tell(key, statuses.RUNNING)
                running.append(key)

    def tell(key, status):
        task, route, item, count = key
        if item is None:
            event = events.ActionExecutionEvent(status, result={"out": 1})
        else:
            if status == statuses.SUCCEEDED:
                results.setdefault(task, {})[item] = {"out": 1}
            told = [results.get(task, {}).get(at) for at in range(count)]
            event = events.TaskItemActionExecutionEvent(item, status, result={"out": 1}, accumulated_result=told)
        conductor.update_task_state(task, route, event)

    start()
    while running:
        tell(running.pop(0), statuses.SUCCEEDED)
        start()
    conductor.render_workflow_output()
    took = time.perf_counter() - began
    if conductor.get_workflow_status() != statuses.SUCCEEDED:
        raise SystemExit("the workflow did not succeed: %s" % conductor.errors)
    return took


print(json.dumps({name: run(case) for name, case in json.load(sys.stdin).items()}))
