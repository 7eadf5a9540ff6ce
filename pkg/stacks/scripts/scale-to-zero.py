import json
import os
import re
from datetime import datetime, timedelta, timezone

import boto3
from botocore.config import Config

REGION = os.environ["AWS_REGION"]
ALARM = re.compile(r"(staging|production)-([A-Za-z0-9][A-Za-z0-9-]{0,99})-queue-empty")
NAMESPACE = "ComfyUI/Workers"
# A record takes five calls at most: 40 s and the pauses between tries, within the function's 60 s.
LIMITS = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 2, "mode": "standard"})
NEEDED_MS = 45_000


def handler(event, context):
    """A message only says where to look: what happens depends on what AWS says now, so it may come late, twice or be false."""
    names, failed = sorted(alarms(event, context)), []
    if not names:
        return
    autoscaling = boto3.client("autoscaling", region_name=REGION, config=LIMITS)
    cloudwatch = boto3.client("cloudwatch", region_name=REGION, config=LIMITS)
    for name in names:
        try:
            if context.get_remaining_time_in_millis() < NEEDED_MS:
                raise TimeoutError("no time left in this invocation")
            tell(name, scale(name, autoscaling, cloudwatch, datetime.now(timezone.utc)))
        except Exception as e:
            failed.append(f"{name}: {e}")
            tell(name, f"failed: {e}")
    if failed:
        raise RuntimeError("; ".join(failed))  # Lambda tries again


def alarms(event, context):
    """The queue-empty alarms of this account and region that the event says are in ALARM."""
    _, partition, _, region, account = context.invoked_function_arn.split(":")[:5]
    records = event.get("Records") if isinstance(event, dict) else None
    names = set()
    for record in records if isinstance(records, list) else [None]:
        try:
            alarm = json.loads(record["Sns"]["Message"])
            name, state, arn = alarm["AlarmName"], alarm["NewStateValue"], alarm["AlarmArn"]
            known = ALARM.fullmatch(name)
        except (KeyError, TypeError, ValueError, RecursionError) as e:
            tell("", f"ignored: not an alarm's message: {type(e).__name__}")
            continue
        if not known or state != "ALARM" or arn != f"arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}":
            tell(name, "ignored: not a queue-empty alarm of this account and region in ALARM")
            continue
        names.add(name)
    return names


def scale(name, autoscaling, cloudwatch, now):
    stage, slug = ALARM.fullmatch(name).groups()
    group = f"asg-{stage}-{slug}"
    known = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    groups = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    if not known or not groups or {"FleetSlug": slug}.items() - tags(groups[0]).items():
        return f"ignored: {group} is no fleet's group with such an alarm"
    minimum, desired = groups[0]["MinSize"], groups[0]["DesiredCapacity"]
    if desired <= minimum:
        return f"{group} is at its minimum"
    why = busy(cloudwatch, stage, slug, min(int(known[0]["EvaluationPeriods"]), 1430), now)
    # A worker protects itself while it holds a job: below that number nothing may go.
    protected = sum(1 for i in groups[0].get("Instances") or [] if i["ProtectedFromScaleIn"])
    target = desired if why else max(minimum, protected)
    if target < desired:
        autoscaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=target, HonorCooldown=False)
    if target > minimum:
        why = why or f"{protected} of its workers are protected"
        # The alarm tells of the change to ALARM only: from OK it can fire once more.
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason=f"{group} stays: {why}")
        return f"{group} stays at {min(target, desired)}: {why}"
    return f"{group} set to {target}"


def tags(group):
    return {t["Key"]: t["Value"] for t in group.get("Tags") or []}


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
    print(json.dumps({"alarm": str(alarm)[:200], "outcome": outcome}))
