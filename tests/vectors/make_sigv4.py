#!/usr/bin/env python3
"""Writes sigv4.json: requests and addresses as botocore signs them.

    python3 -m venv /tmp/oracles
    /tmp/oracles/bin/pip install botocore==1.43.11
    /tmp/oracles/bin/python tests/vectors/make_sigv4.py

The same version writes the same bytes. Keys are made up; no service is called.
"""
import datetime
import hashlib
import importlib.metadata
import json
import pathlib
import random
import urllib.parse

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

FILE = pathlib.Path(__file__).resolve().parent / "sigv4.json"
KEYS = [
    "a", "datasets/6d/1/data.jsonl", "a b c.txt", "plus+and&amp=?.csv", "100%.txt", "%41lready",
    "ünïcödé/日本語/ключ.json", "emoji-😀.bin", "quote'\"`.txt", "a//b///c", "trailing/", "(x)[y]{z}!*",
    "semi;colon:comma,at@", "tilde~dash-dot.under_", "back\\slash|pipe^caret<gt>", "tab\there",
    "dots/.hidden/..twodots", "=equals==", "#hash", "very/" + "long/" * 30 + "key", "\u00a0nbsp",
    "combining-e\u0301", "a$b", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "x" * 255, "~",
    "new\nline", "control\x01char", "ends with space ", "experiments/1/runs/2/artifacts/3/r (1).html",
]
QUERIES = [
    [], [("list-type", "2"), ("prefix", "datasets/"), ("max-keys", "1000")], [("uploads", "")],
    [("partNumber", "10"), ("uploadId", "VXBsb2FkIElE+/=")], [("a", "2"), ("a", "1"), ("A", "0")],
    [("delimiter", "/"), ("prefix", "ünï/ c&d")], [("empty", ""), ("b", " ")], [("x~y", "~-._")],
    [("response-content-disposition", 'attachment; filename="a b;c.csv"')],
    [("continuation-token", "1/abc+def==")], [("versions", ""), ("key-marker", "日本")],
]
BODIES = [b"", b"{}", b"hello world\n" * 50, bytes(range(256)), "ünïcödé".encode()]
OTHERS = [
    ("bedrock", "https://bedrock-runtime.us-west-2.amazonaws.com",
     "/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse"),
    ("bedrock", "https://bedrock-runtime.eu-central-1.amazonaws.com",
     "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aprompt%2Fab/converse-stream"),
    ("secretsmanager", "https://secretsmanager.us-east-1.amazonaws.com", "/"),
    ("sts", "https://sts.eu-west-1.amazonaws.com/", ""),
    ("execute-api", "https://a1b2.execute-api.us-east-1.amazonaws.com",
     "/prod/a//b/./c/../d%20e/%E6%97%A5/"),
    ("execute-api", "http://127.0.0.1:8080", "/../.././x/."),
    ("es", "https://search.example.com:9200", "/idx/_doc/a%2Fb+c*d"),
    ("iam", "https://iam.amazonaws.com:443", "/"),
]


def make_credentials(rng):
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    secret = "".join(rng.choices(letters + letters.lower() + "+/", k=40))
    token = "".join(rng.choices(letters + letters.lower() + "+/=", k=200))
    return Credentials("AKIA" + "".join(rng.choices(letters, k=16)), secret,
                       token if rng.random() < 0.4 else None)


def encode_query(pairs):
    quote = lambda text: urllib.parse.quote(text, safe="-_.~")
    return "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)


class Fixed:
    """botocore's clock while it signs."""

    def __init__(self, when):
        self.when = when

    def __enter__(self):
        self.before = botocore.auth.get_current_datetime
        botocore.auth.get_current_datetime = lambda *_, **__: self.when

    def __exit__(self, *_):
        botocore.auth.get_current_datetime = self.before


def case(kind, request, credentials, scope, when, payload, expected, **more):
    return {"input": {
        "kind": kind, "method": request["method"], "url": request["url"],
        "headers": request["headers"], "payload_hash": payload,
        "access_key_id": credentials.access_key, "secret_access_key": credentials.secret_key,
        "session_token": credentials.token or "", "region": scope[0], "service": scope[1],
        "time": when.strftime("%Y-%m-%dT%H:%M:%SZ"), **more,
    }, "params": {}, "expected": expected}


def sign(rng, service, url, region, when, body=b"", headers=(), method="GET", how="signed"):
    credentials = make_credentials(rng)
    request = AWSRequest(method=method, url=url, data=body)
    for name, value in headers:
        request.headers.add_header(name, value)
    if how == "unsigned":
        request.context["client_config"] = type("C", (), {
            "s3": {"payload_signing_enabled": False}, "signature_version": "s3v4"})()
    if how == "trailer":
        request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
    signer = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    signer = signer(credentials, service, region)
    given = {"method": method, "url": url, "headers": [list(one) for one in headers]}
    with Fixed(when):
        signer.add_auth(request)
    payload = request.headers.get("X-Amz-Content-SHA256") or hashlib.sha256(body).hexdigest()
    return case("sign", given, credentials, (region, service), when, payload,
                {"authorization": request.headers["Authorization"],
                 "date": request.headers["X-Amz-Date"],
                 "content_sha256": request.headers.get("X-Amz-Content-SHA256", "")})


def presign(rng, service, url, region, when, life, method="GET", headers=()):
    credentials = make_credentials(rng)
    request = AWSRequest(method=method, url=url)
    for name, value in headers:
        request.headers.add_header(name, value)
    signer = botocore.auth.S3SigV4QueryAuth if service == "s3" else botocore.auth.SigV4QueryAuth
    given = {"method": method, "url": url, "headers": [list(one) for one in headers]}
    payload = "UNSIGNED-PAYLOAD" if service == "s3" else hashlib.sha256(b"").hexdigest()
    with Fixed(when):
        signer(credentials, service, region, expires=life).add_auth(request)
    return case("presign", given, credentials, (region, service), when, payload,
                {"url": request.url}, life=life)


def cases():
    rng = random.Random(20260101)
    times = [datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
             + datetime.timedelta(seconds=rng.randrange(86400 * 3000)) for _ in range(400)]
    times[0] = datetime.datetime(2028, 2, 29, 23, 59, 59, tzinfo=datetime.timezone.utc)
    times = iter(times)
    regions = ["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1"]
    roots = ["https://bucket.s3.us-east-1.amazonaws.com/", "http://127.0.0.1:7070/bucket/",
             "https://s3.eu-central-1.amazonaws.com:443/b.with.dots/", "http://[::1]:9000/b/",
             "https://MinIO.Example.COM:9443/bucket/", "http://store.internal:80/bucket/"]
    for i, key in enumerate(KEYS):
        path = urllib.parse.quote(key, safe="/~-._")
        query = encode_query(QUERIES[i % len(QUERIES)])
        url = roots[i % len(roots)] + path + ("?" + query if query else "")
        region, body = regions[i % 4], BODIES[i % len(BODIES)]
        headers = [[("Content-Type", "text/csv; charset=utf-8")], [],
                   [("x-amz-meta-Name", "  two   spaces  and\ttab "), ("If-None-Match", "*")],
                   [("Range", "bytes=0-99"), ("User-Agent", "not/signed"), ("Expect", "100-continue")],
                   [("x-amz-meta-many", "b"), ("x-amz-meta-many", " a "), ("Connection", "close")],
                   ][i % 5]
        method = ["PUT", "GET", "HEAD", "DELETE", "POST"][i % 5]
        yield sign(rng, "s3", url, region, next(times), body, headers, method)
        yield presign(rng, "s3", url.split("?")[0], region, next(times), rng.randrange(1, 604801),
                      ["GET", "PUT"][i % 2],
                      [("Content-Type", "text/csv")] if i % 4 == 1 else [])
    for query in QUERIES:
        text = encode_query(query)
        url = "https://bucket.s3.eu-west-1.amazonaws.com/" + ("?" + text if text else "")
        yield sign(rng, "s3", url, "eu-west-1", next(times))
        if len({name for name, _ in query}) == len(query):
            yield presign(rng, "s3", url, "eu-west-1", next(times), 3600)
    for body in BODIES:
        url = "https://bucket.s3.us-east-1.amazonaws.com/big"
        checked = [("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==")]
        yield sign(rng, "s3", url, "us-east-1", next(times), body, checked, "PUT", "unsigned")
        chunked = [("Content-Encoding", "aws-chunked"), ("X-Amz-Trailer", "x-amz-checksum-crc32"),
                   ("X-Amz-Decoded-Content-Length", str(len(body)))]
        yield sign(rng, "s3", url, "us-east-1", next(times), body, chunked, "PUT", "trailer")
    for service, root, path in OTHERS:
        for body in (b"", b'{"messages": []}'):
            headers = [("Content-Type", "application/json"), ("X-Amz-Target", f"{service}.Do")]
            yield sign(rng, service, root + path, "us-west-2", next(times), body, headers, "POST")
        for query in (QUERIES[2], QUERIES[4], QUERIES[5]):
            url = root + path + "?" + encode_query(query)
            yield sign(rng, service, url, "ap-south-1", next(times))
        yield presign(rng, service, root + path + "?Action=GetCallerIdentity&Version=2011-06-15",
                      "us-east-1", next(times), 60)


def main():
    rows = []
    for number, one in enumerate(cases()):
        rows.append(json.dumps({"id": f"sigv4-{number:04d}", **one}, ensure_ascii=True))
    package = importlib.metadata.version("botocore")
    FILE.write_text("\n".join([
        "{", '"metric": "sigv4",',
        f'"oracle": ["botocore=={package} auth.SigV4Auth, S3SigV4Auth, and their QueryAuth"],',
        '"tolerance": {"abs": 0, "rel": 0},',
        '"notes": "Requests and addresses; with the payload hash that botocore took.",',
        f'"n_cases": {len(rows)},', '"cases": [', ",\n".join(rows), "]", "}", ""]))
    print(f"{len(rows)} cases")


if __name__ == "__main__":
    main()
