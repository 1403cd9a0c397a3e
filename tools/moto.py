#!/usr/bin/env python3
"""A server of AWS Secrets Manager for tests: moto of PyPI, pinned
(tests/e2e/moto/requirements.txt), in build/moto.

Usage: moto.py --build

`Server` starts it on the loopback address and stops it again; what it keeps is in memory. It checks signatures
and rights (IAM) after its first calls, which make a user who may read secrets, and one who may nothing.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import private_server  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "tests" / "e2e" / "moto" / "requirements.txt"
VENV = ROOT / "build" / "moto"
PROGRAM = VENV / "bin" / "moto_server"
STAMP = VENV / ".installed"
REGION = "us-east-1"
START_SECONDS = 60
BUILD_SECONDS = 900
ATTEMPTS = 3

# Makes what the tests begin with; on the server's own Python, whose boto3 is moto's. Each line is one call,
# and FREE of them are made before signatures count.
PREPARE = """
import boto3, json, sys
def client(service, key="first", secret="first"):
    return boto3.client(service, endpoint_url=sys.argv[1], region_name=sys.argv[2], aws_access_key_id=key,
                        aws_secret_access_key=secret)
iam = client("iam")
out = {}
for name, effect in (("reader", "Allow"), ("nobody", "Deny")):
    iam.create_user(UserName=name)
    policy = {"Version": "2012-10-17",
              "Statement": [{"Effect": effect, "Action": ["secretsmanager:*"], "Resource": "*"}]}
    iam.put_user_policy(UserName=name, PolicyName="secrets", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    out[name] = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
print(json.dumps(out))
"""
FREE = 6
CHANGE = """
import boto3, sys
client = boto3.client("secretsmanager", endpoint_url=sys.argv[1], region_name=sys.argv[2])
value = sys.stdin.read()
if sys.argv[3] == "create":
    print(client.create_secret(Name=sys.argv[4], SecretString=value)["ARN"])
else:
    print(client.put_secret_value(SecretId=sys.argv[4], SecretString=value)["ARN"])
"""


def build():
    """0 unless there has to be a server and cannot be."""
    if is_built() or install():
        return 0
    print("there is no server of Secrets Manager: tests that need one are skipped", file=sys.stderr)
    return 1 if os.environ.get("LAB_REQUIRE_BACKENDS") == "1" else 0


def is_built():
    return STAMP.exists() and STAMP.read_bytes() == REQUIREMENTS.read_bytes()


def install():
    for attempt in range(ATTEMPTS):
        shutil.rmtree(VENV, ignore_errors=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", VENV], check=True, timeout=BUILD_SECONDS)
            subprocess.run([VENV / "bin" / "pip", "install", "-q", "--only-binary", ":all:", "-r", REQUIREMENTS],
                           check=True, timeout=BUILD_SECONDS)
            shutil.copy(REQUIREMENTS, STAMP)
            return True
        except (OSError, subprocess.SubprocessError):
            if attempt + 1 < ATTEMPTS:
                time.sleep(2 ** attempt)
    return False


class Server:
    """moto; a context that starts and stops it."""

    def __init__(self):
        self.folder = None
        self.process = None
        self.port = None
        self.url = None
        self.users = {}

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-moto-", dir="/tmp"))
        try:
            for _ in range(5):
                if self.start(private_server.free_port()):
                    break
            else:
                raise RuntimeError((self.folder / "moto.log").read_text(errors="replace"))
            self.users = json.loads(self.python(PREPARE))
            return self
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def start(self, port):
        """False when the port was taken meanwhile."""
        with open(self.folder / "moto.log", "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "-H", "127.0.0.1", "-p", str(port)],
                env={**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": str(FREE)},
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                preexec_fn=private_server.die_with_parent(signal.SIGTERM))
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                self.port, self.url = port, f"http://127.0.0.1:{port}"
                return True
            except OSError:
                time.sleep(0.05)
        raise RuntimeError((self.folder / "moto.log").read_text(errors="replace"))

    def python(self, program, *arguments, text="", env=None):
        done = subprocess.run([VENV / "bin" / "python", "-c", program, self.url, REGION, *arguments], input=text,
                              env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=120,
                              check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr[-2000:])
        return done.stdout

    def create(self, name, value):
        """The ARN."""
        return self.python(CHANGE, "create", name, text=value, env=self.users["reader"]).strip()

    def rotate(self, name, value):
        """A new AWSCURRENT; the one before is AWSPREVIOUS."""
        return self.python(CHANGE, "put", name, text=value, env=self.users["reader"]).strip()

    def environment(self, user="reader"):
        """What a program needs to find it."""
        return {**self.users[user], "AWS_REGION": REGION, "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.url}

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def main(command):
    if command == ["--build"]:
        return build()
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
