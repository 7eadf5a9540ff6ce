"""S3 with the standard library: signed GET and HEAD of one bucket.

Credentials and region come from the environment variables of the AWS SDKs, or
from the instance's metadata service (version 2). Signature version 4:
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

import datetime
import hashlib
import hmac
import http.client
import json
import os
import re
import threading
import urllib.error
import urllib.parse
import urllib.request

EMPTY = hashlib.sha256(b"").hexdigest()
TIMEOUT = 60
ATTEMPTS = 6

# What may go better the next time.
BROKEN = (OSError, http.client.HTTPException)


class S3Error(Exception):
    """An answer of S3, or that there was none, with what to do about it."""


class NoAnswer(S3Error):
    """S3 did not answer well, several times."""


class Stopped(Exception):
    """The run was told to end."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None  # a signature is good for one host


class Metadata:
    """The instance's metadata service."""

    def __init__(self, environ):
        self.base = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254").rstrip("/")
        self.open = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect()).open

    def _ask(self, method, path, headers):
        request = urllib.request.Request(self.base + path, method=method, headers=headers)
        try:
            with self.open(request, timeout=5) as answer:
                return answer.read(1 << 16).decode()
        except BROKEN as err:
            raise S3Error("no AWS credentials: neither AWS_ACCESS_KEY_ID in the environment nor an answer "
                          "of the metadata service at %s: %s" % (self.base, err)) from None

    def get(self, path):
        token = self._ask("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "300"})
        return self._ask("GET", "/latest/meta-data/" + path, {"X-aws-ec2-metadata-token": token})


class Credentials:
    """Keys, read again when they are about to end."""

    def __init__(self, environ, metadata):
        self._fixed = None
        if environ.get("AWS_ACCESS_KEY_ID") and environ.get("AWS_SECRET_ACCESS_KEY"):
            self._fixed = (environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], environ.get("AWS_SESSION_TOKEN", ""))
        self._metadata, self._keys, self._until = metadata, None, None
        self._lock = threading.Lock()

    def keys(self, now):
        """Returns access key id, secret and session token."""
        if self._fixed:
            return self._fixed
        with self._lock:
            if self._keys is None or now > self._until - datetime.timedelta(minutes=5):
                base = "iam/security-credentials/"
                role = self._metadata.get(base).strip()
                answer = json.loads(self._metadata.get(base + role))
                self._keys = (answer["AccessKeyId"], answer["SecretAccessKey"], answer["Token"])
                self._until = datetime.datetime.strptime(answer["Expiration"], "%Y-%m-%dT%H:%M:%SZ")
            return self._keys


class Bucket:
    """One bucket. stop is a threading.Event that ends waiting."""

    def __init__(self, name, environ, stop):
        if not re.fullmatch("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name):
            raise S3Error("MODELS_BUCKET %r is no bucket name" % name)
        metadata = Metadata(environ)
        self.name, self.stop = name, stop
        self.region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or metadata.get("placement/region")
        endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
        if endpoint:
            self._base = endpoint.rstrip("/") + "/" + name
        else:
            self._base = "https://%s.s3.%s.amazonaws.com" % (name, self.region)
        self._credentials = Credentials(environ, metadata)
        self._open = urllib.request.build_opener(_NoRedirect()).open

    def _request(self, method, key, start):
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        access, secret, token = self._credentials.keys(now)
        url = urllib.parse.urlsplit(self._base + "/" + urllib.parse.quote(key, safe="/-_.~"))
        stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        signed = {"host": url.netloc, "x-amz-content-sha256": EMPTY, "x-amz-date": stamp}
        if token:
            signed["x-amz-security-token"] = token
        names = ";".join(sorted(signed))
        canonical = "\n".join([method, url.path, ""] + ["%s:%s" % (k, signed[k]) for k in sorted(signed)] + ["", names, EMPTY])
        scope = "%s/%s/s3/aws4_request" % (day, self.region)
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        mac = ("AWS4" + secret).encode()
        for part in (day, self.region, "s3", "aws4_request", text):
            mac = hmac.new(mac, part.encode(), hashlib.sha256).digest()
        headers = dict(signed, Authorization="AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s"
                       % (access, scope, names, mac.hex()))
        if start:
            headers["Range"] = "bytes=%d-" % start
        return urllib.request.Request(url.geturl(), method=method, headers=headers)

    def open(self, key, start=0, method="GET"):
        """Asks once for an object from a byte on. Raises S3Error when S3 refuses,
        one of BROKEN when it may go better next time."""
        try:
            return self._open(self._request(method, key, start), timeout=TIMEOUT)
        except urllib.error.HTTPError as err:
            with err:
                body = err.read(1 << 16).decode("utf-8", "replace")
            if err.code >= 500 or err.code == 429 or "RequestTimeout" in body:
                raise OSError("S3 answered %d" % err.code) from None
            raise S3Error(self._refusal(err.code, body, key)) from None

    def _refusal(self, status, body, key):
        found = re.search("<Code>([^<]*)</Code>", body)
        code = found.group(1) if found else {403: "Forbidden", 404: "Not Found"}.get(status, "no code")
        text = "s3://%s/%s: S3 answered %d %s" % (self.name, key, status, code)
        if status in (301, 307):
            return text + ": the bucket is not in region %s; set AWS_REGION to the bucket's" % self.region
        if status in (403, 404):
            # Without s3:ListBucket, S3 says 403 of an object that is not there.
            return text + ": it is not there, or this role may not read it; look with: aws s3api head-object --bucket %s --key %s" % (self.name, key)
        return text

    def retry(self, call):
        """Calls until it does not break, at most ATTEMPTS times."""
        for attempt in range(ATTEMPTS):
            if self.stop.is_set():
                raise Stopped()
            try:
                return call()
            except BROKEN as err:
                last = err
            if attempt + 1 < ATTEMPTS:
                self.stop.wait(min(0.2 * 4 ** attempt, 20))
        raise NoAnswer("S3 did not answer well in %d attempts: %s; run the same command again" % (ATTEMPTS, last))

    def size(self, key):
        """Returns an object's size in bytes."""
        def ask():
            with self.open(key, method="HEAD") as answer:
                return int(answer.headers["Content-Length"])
        return self.retry(ask)

    def read(self, key, limit):
        """Returns a small object."""
        def ask():
            with self.open(key) as answer:
                return answer.read(limit + 1)
        body = self.retry(ask)
        if len(body) > limit:
            raise S3Error("s3://%s/%s has more than %d bytes" % (self.name, key, limit))
        return body
