import json
import os
import re
from datetime import datetime, timedelta, timezone

import boto3

REGION = os.environ["AWS_REGION"]
ALARM = re.compile(r"^(staging|production)-([A-Za-z0-9][A-Za-z0-9-]*)-queue-empty$")
NAMESPACE = "ComfyUI/Workers"


def handler(event, context):
    autoscaling = boto3.client("autoscaling", region_name=REGION)
    cloudwatch = boto3.client("cloudwatch", region_name=REGION)
    for record in event["Records"]:
        alarm = json.loads(record["Sns"]["Message"])
        scale(alarm, autoscaling, cloudwatch, datetime.now(timezone.utc))


def scale(alarm, autoscaling, cloudwatch, now):
    name = alarm.get("AlarmName", "")
    match = ALARM.match(name)
    if alarm.get("NewStateValue") != "ALARM" or not match:
        return tell(name, "ignored: not a queue-empty alarm")
    stage, slug = match.groups()
    group = f"asg-{stage}-{slug}"
    groups = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    if not groups or groups[0]["DesiredCapacity"] < 1:
        return tell(name, f"{group} is missing or at zero")
    minutes = min(int(alarm.get("Trigger", {}).get("EvaluationPeriods") or 15), 1430)
    why = busy(cloudwatch, stage, slug, minutes, now)
    if why:
        # The alarm tells of the change to ALARM only: from OK it can fire once more.
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason=f"{group} stays: {why}")
        return tell(name, f"{group} stays: {why}")
    autoscaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=0, HonorCooldown=False)
    return tell(name, f"{group} set to zero")


def busy(cloudwatch, stage, slug, minutes, now):
    """Why the fleet must not go to zero, or None. A dead publisher is no empty queue."""
    window = timedelta(minutes=minutes + 3)
    points = cloudwatch.get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName="QueueDepth",
        Dimensions=[{"Name": "FleetSlug", "Value": slug}, {"Name": "Stage", "Value": stage}],
        StartTime=now - window,
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    newest = sorted(points, key=lambda p: p["Timestamp"])[-minutes:]
    if len(newest) < max(1, minutes - 2):
        return f"only {len(newest)} datapoints in {minutes} minutes"
    if now - newest[-1]["Timestamp"] > timedelta(minutes=4):
        return "the newest datapoint is too old"
    if any(p["Maximum"] > 0 for p in newest):
        return "the queue is not empty"
    return None


def tell(alarm, outcome):
    print(json.dumps({"alarm": alarm, "outcome": outcome}))
    return outcome
