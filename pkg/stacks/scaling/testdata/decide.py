"""Runs the part of the function that decides, in the file that the argument names, once for each JSON line on standard input: a
fleet's alarm goes off at a time of a simulated day."""
import datetime
import json
import sys

scope = {}
with open(sys.argv[1]) as file:
    exec(compile(file.read(), "index.py", "exec"), scope)
START = datetime.datetime(2026, 11, 23, tzinfo=datetime.timezone.utc)


class Account:
    """Answers the function's calls, of both services, from one case, and notes what it changes."""

    def __init__(self, case):
        self.case, self.out = case, {"desired": case["desired"], "armed": False}

    def describe_alarms(self, AlarmNames):
        return {"MetricAlarms": [{"EvaluationPeriods": self.case["periods"]}]}

    def describe_auto_scaling_groups(self, AutoScalingGroupNames):
        workers = [{"ProtectedFromScaleIn": i < self.case["protected"]} for i in range(self.case["instances"])]
        return {"AutoScalingGroups": [{"MinSize": self.case["min"], "DesiredCapacity": self.case["desired"], "Instances": workers,
                                       "Tags": [{"Key": "FleetSlug", "Value": AutoScalingGroupNames[0].removeprefix("asg-staging-")}]}]}

    def get_metric_statistics(self, StartTime, EndTime, **_):
        points = [{"Timestamp": START + datetime.timedelta(minutes=m), "Maximum": v} for m, v in self.case["points"]]
        return {"Datapoints": [p for p in points if StartTime <= p["Timestamp"] < EndTime]}

    def set_desired_capacity(self, AutoScalingGroupName, DesiredCapacity, HonorCooldown):
        self.out["desired"] = DesiredCapacity

    def set_alarm_state(self, AlarmName, StateValue, StateReason):
        self.out["armed"] = StateValue == "OK"


for line in sys.stdin:
    case = json.loads(line)
    account = Account(case)
    account.out["told"] = scope["scale"](case["alarm"], account, account, START + datetime.timedelta(seconds=case["now"]))
    print(json.dumps(account.out), flush=True)
