"""Fault sweep of Tablestore: reading, every way of writing, change streams, and the jobs
that end in MaxCompute or begin in LogHub.  sweep_ots_forms.py has the statements.

For every fault mode and every index k of the requests a clean run makes:

  once     request k fails once in a way that passes: the statement succeeds and the
           target is exactly right
  forever  request k and all later ones fail
  final    the service refuses request k for good, or the key expires with it
  rows     single rows of a batch fail: passing, for good, or written all the same
  late     a write is answered as failed and done afterwards, perhaps after its repetition
  event    a partition splits or merges; the clock jumps
  corrupt  one bit of an answer is another, for every byte: refused, or without effect
  storm    one request in four fails, in any way that passes, rows of batches too
  cancel, terminate  the statement hangs at request k

A statement that fails must do so with a SQLSTATE that says what was wrong.  What it
leaves is as before (local tables, MaxCompute), or each row is as before or complete
(Tablestore, where nothing is taken back).  Then the same statement runs without
faults, and the target is exactly right.

steps.py has what is not of Tablestore, pool.py the options.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))

import mctest  # noqa: E402
import pool  # noqa: E402
from steps import BUSY, FAILED, TRANSPORT, WRONG, Sweep  # noqa: E402
from sweep_ots_forms import FORMS  # noqa: E402

INTERNAL = {"http": 500, "code": "OTSInternalServerError", "message": "injected"}
# a fault that passes -> what a statement may say when it does not pass
ONCE = dict({
    "http_500": (dict(INTERNAL, action="status"), FAILED),
    "http_503": ({"action": "status", "http": 503, "code": "OTSServerUnavailable", "message": "injected"}, FAILED),
    "http_429": ({"action": "status", "http": 429, "code": "OTSFlowControl", "message": "injected"}, BUSY),
    "status_after": (dict(INTERNAL, action="status_after"), FAILED),
}, **TRANSPORT)
# the same for what only Tablestore does
ONCE_TABLESTORE = {
    "busy": ({"action": "throttle", "code": "OTSServerBusy"}, BUSY),
    "no_capacity": ({"action": "throttle", "code": "OTSNotEnoughCapacityUnit"}, BUSY),
    "partition_unavailable": ({"action": "throttle", "code": "OTSPartitionUnavailable"}, FAILED),
    "timeout_applied": ({"action": "apply_then_fail", "code": "OTSTimeout"}, FAILED),
    "unavailable_applied": ({"action": "apply_then_fail", "code": "OTSServerUnavailable"}, FAILED),
    "bad_signature": ({"action": "bad_signature"}, WRONG),
    "no_signature": ({"action": "bad_signature", "missing": 1}, WRONG),
}
CLOCK = {"clock_ahead": 3600, "clock_behind": -3600}
# a refusal that does not pass -> the SQLSTATE
FINAL = {
    "no_permission": ({"action": "throttle", "code": "OTSNoPermissionAccess"}, {"42501"}),
    "invalid": ({"action": "throttle", "code": "OTSParameterInvalid"}, {"HV024"}),
}
TRIMMED = {"stream_trimmed": ({"action": "stream_trimmed"}, {"22008"})}
# not final for these: the batch is divided, the scan does without
TOLERANT = {"invalid": ("BatchWriteRow", "ComputeSplitPointsBySize"), "no_permission": ("ComputeSplitPointsBySize",)}
ROWS = {
    "rows_busy": {"code": "OTSServerBusy", "each": 3},
    "rows_conflict": {"code": "OTSRowOperationConflict"},
    "rows_timeout": {"code": "OTSTimeout", "each": 2},
    "rows_timeout_applied": {"code": "OTSTimeout", "each": 2, "applied": 1},
    "rows_all_applied": {"code": "OTSInternalServerError", "applied": 1},
}
ROWS_FINAL = {
    "row_refused": ({"code": "OTSOutOfRowSizeLimit", "row": 0}, {"54000"}),
    "row_forbidden": ({"code": "OTSNoPermissionAccess", "row": 0}, {"42501"}),
}
LATER = {
    "apply_later": {"action": "apply_later", "writes": 1},
    "apply_much_later": {"action": "apply_later", "ms": 150},
}

class TablestoreSweep(Sweep):
    service = "tablestore"
    tolerant = TOLERANT

    def damage(self, name, struck):
        # damage inside the rows of a page shows when they are read, too late to ask again
        return (WRONG, {"GetRange"}) if name == "corrupt_body" and struck == {"GetRange"} else None

    def event(self, name, command, undo, at):
        self.once(name, {"action": "command", "command": dict(command, service="tablestore")}, at)
        if self.struck():
            mctest.command("tablestore", **undo)

    def plan(self):
        passing = [(name, f, "tablestore" if name == "corrupt_body" else None) for name, f in ONCE.items()]
        passing += [(name, f, "tablestore") for name, f in ONCE_TABLESTORE.items()]
        for name, (fault, states), service in passing:
            for at in self.places(service):
                yield self.once, name, fault, at
        for name, seconds in CLOCK.items() if self.form.own_clock else ():
            for at in self.places("tablestore"):
                yield self.clock, name, seconds, at
        for name, (command, undo) in self.form.events.items():
            for at in self.places("tablestore"):
                yield self.event, name, command, undo, at
        for name, (fault, states), service in passing:
            if states and (not self.short or name in self.form.short_forever):
                for at in self.places(service):
                    yield self.forever, name, fault, states, at
        for name, (fault, states) in FINAL.items():
            for at in self.places("tablestore"):
                yield self.final, name, fault, states, at
        for at in self.places("tablestore"):
            yield self.expired, at
        for at, byte, seed in self.flips(10, 500):
            yield self.corrupt, at, byte, seed
        storms = [f for name, (f, _) in list(ONCE.items()) + list(ONCE_TABLESTORE.items()) if name != "corrupt_body"]
        storms += [dict(f, action="row_error", service="tablestore") for f in ROWS.values()]
        for seed in range(2 if self.short else 40):
            yield self.storm, seed, storms
        for how in ("cancel", "terminate"):
            for at in self.places():
                yield self.hang, how, at
        for name, (fault, states) in TRIMMED.items():
            for at in self.calls("GetStreamRecord") + self.calls("GetShardIterator"):
                yield self.final, name, fault, states, at
        for api in ("BatchWriteRow", "BatchGetRow"):
            for at in self.calls(api):
                for name, fault in ROWS.items():
                    yield self.once, name, dict(fault, action="row_error"), at
                for name, (fault, states) in ROWS_FINAL.items():
                    yield self.final, name, dict(fault, action="row_error"), states, at
        for at in self.calls("BatchWriteRow"):
            for name, fault in LATER.items():
                yield self.late, name, fault, at


def work(name, short, only, seed):
    TablestoreSweep(FORMS[name](), short, seed).run(only)


if __name__ == "__main__":
    pool.main(__file__, list(FORMS), [], work)
