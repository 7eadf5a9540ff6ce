"""Stand-in for boto3 where it is not installed: any call of two services as plain HTTP, in AWS's Query protocol."""
import datetime
import os
import urllib.parse
import urllib.request
import xml.etree.ElementTree

SIGNED_AS = {"autoscaling": "autoscaling", "cloudwatch": "monitoring"}
TYPES = {
    "DesiredCapacity": int, "MinSize": int, "EvaluationPeriods": int, "Maximum": float,
    "ProtectedFromScaleIn": lambda text: text == "true",
    "Timestamp": lambda text: datetime.datetime.fromisoformat(text.replace("Z", "+00:00")),
}


def client(service, region_name, config):
    return Client(SIGNED_AS[service], region_name, config)


class Client:
    def __init__(self, service, region, config):
        self.service, self.region, self.config = service, region, config

    def __getattr__(self, name):
        return lambda **parameters: self.call(name.title().replace("_", ""), parameters)

    def call(self, operation, parameters):
        form = {"Action": operation}
        flatten(form, "", parameters)
        credential = f"AKIDEXAMPLE/20260101/{self.region}/{self.service}/aws4_request"
        request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], urllib.parse.urlencode(form).encode(), {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0",
        })
        with urllib.request.urlopen(request, timeout=self.config.read_timeout) as answer:
            root = xml.etree.ElementTree.fromstring(answer.read())
        return next((value(child) for child in root if name(child).endswith("Result")), {})


def flatten(form, prefix, v):
    if isinstance(v, dict):
        for key, x in v.items():
            flatten(form, f"{prefix}.{key}" if prefix else key, x)
    elif isinstance(v, list):
        for i, x in enumerate(v, 1):
            flatten(form, f"{prefix}.member.{i}", x)
    elif isinstance(v, datetime.datetime):
        form[prefix] = v.isoformat()
    else:
        form[prefix] = str(v).lower() if isinstance(v, bool) else str(v)


def name(element):
    return element.tag.split("}")[-1]


def value(element):
    if not len(element):
        return TYPES.get(name(element), str)(element.text or "")
    if all(name(child) == "member" for child in element):
        return [value(child) for child in element]
    return {name(child): value(child) for child in element}
