"""Runs the inline function (standard input) against stand-ins for boto3 and prints one JSON line per case."""
import datetime
import json
import os
import sys
import types

NOW = datetime.datetime.now(datetime.timezone.utc)
os.environ["AWS_REGION"] = "us-east-1"


class Autoscaling:
    def __init__(self, desired):
        self.desired, self.calls = desired, []

    def describe_auto_scaling_groups(self, AutoScalingGroupNames):
        self.asked = AutoScalingGroupNames
        return {"AutoScalingGroups": [] if self.desired is None else [{"DesiredCapacity": self.desired}]}

    def set_desired_capacity(self, **kwargs):
        self.calls.append(kwargs)


class CloudWatch:
    def __init__(self, points):
        self.points, self.states = points, []

    def set_alarm_state(self, AlarmName, StateValue, StateReason):
        assert StateReason, "people read why"
        self.states.append(f"{AlarmName} {StateValue}")

    def get_metric_statistics(self, Namespace, MetricName, Dimensions, StartTime, EndTime, Period, Statistics):
        assert (Namespace, MetricName, Period, Statistics) == ("ComfyUI/Workers", "QueueDepth", 60, ["Maximum"])
        assert (EndTime - StartTime).total_seconds() / Period <= 1440, "one answer holds 1,440 datapoints"
        assert {d["Name"]: d["Value"] for d in Dimensions} == {"FleetSlug": "gpu-default", "Stage": "staging"}
        points = [{"Timestamp": NOW - datetime.timedelta(minutes=age), "Maximum": v} for age, v in self.points]
        return {"Datapoints": [p for p in points if StartTime <= p["Timestamp"] < EndTime]}


def run(desired, points, name="staging-gpu-default-queue-empty", state="ALARM", trigger=None):
    autoscaling, cloudwatch = Autoscaling(desired), CloudWatch(points)
    boto3 = types.ModuleType("boto3")
    boto3.client = lambda service, region_name: {"autoscaling": autoscaling, "cloudwatch": cloudwatch}[service]
    sys.modules["boto3"] = boto3
    scope = {}
    exec(compile(SOURCE, "index.py", "exec"), scope)
    message = {"AlarmName": name, "NewStateValue": state, "Trigger": trigger or {"EvaluationPeriods": 15}}
    out, sys.stdout = sys.stdout, sys.stderr
    try:
        scope["handler"]({"Records": [{"Sns": {"Message": json.dumps(message)}}]}, None)
    finally:
        sys.stdout = out
    return {"calls": autoscaling.calls, "states": cloudwatch.states}


SOURCE = sys.stdin.read()
quiet = [(age, 0.0) for age in range(1, 40)]
day = [(age, 0.0) for age in range(1, 1500)]
for case, did in {
    "idle": run(2, quiet),
    "at zero": run(0, quiet),
    "no group": run(None, quiet),
    "a job meanwhile": run(2, [(1, 3.0)] + quiet[1:]),
    "a job within the time": run(2, quiet[:14] + [(15, 1.0)] + quiet[15:]),
    "a job before the time": run(2, quiet[:15] + [(16, 1.0)] + quiet[16:]),
    "publisher died": run(2, quiet[5:]),
    "publisher just died": run(2, quiet[4:]),
    "publisher never lived": run(2, []),
    "only a few points": run(2, quiet[:5]),
    "state OK": run(2, quiet, state="OK"),
    "another alarm": run(2, quiet, name="staging-gpu-default-queue-has-jobs"),
    "another stage": run(2, quiet, name="qa-gpu-default-queue-empty"),
    "a whole day": run(2, day, trigger={"EvaluationPeriods": 1440}),
    "one minute": run(2, quiet, trigger={"EvaluationPeriods": 1}),
}.items():
    print(json.dumps({"case": case, **did}))
