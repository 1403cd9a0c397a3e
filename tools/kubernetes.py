#!/usr/bin/env python3
"""Runs a command beside a Kubernetes of its own, of one node, which goes when the command ends.

Usage: kubernetes.py [--control-plane] COMMAND...      kubernetes.py --build

`--build` makes the programs with Go in build/kubernetes, once for each version: a quarter of an hour. The
cluster lives in namespaces of its own (network, mounts, processes), so nothing of it is seen from outside
and nothing stays. The command runs in them, too: it finds the cluster with KUBECONFIG, its programs
(kubectl, helm, kubeconform ...) on PATH, the node's address in LAB_NODE_IP. `--control-plane` is etcd, API
server and controllers alone, without a node: enough for dry runs, quotas and rights. What is missing on
this machine is said, and the command does not run: a failure with LAB_REQUIRE_BACKENDS=1. The exit status
is the command's.
"""
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "rehearsal")]
import deploy_tools  # noqa: E402
import private_server  # noqa: E402
import s3  # noqa: E402

SOURCE = ROOT / "tests" / "rehearsal" / "kubernetes"
HOME = ROOT / "build" / "kubernetes"
BIN = HOME / "bin"
#: Names of the one binary.
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")
VERSION = "v1.34.4"
MODULES = {
    "helm": "helm.sh/helm/v3/cmd/helm@v3.18.6",
    "coredns": "github.com/coredns/coredns@v1.12.4",
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0",
}
#: Its versions are in kubernetes/state/go.mod: its module cannot be installed by name.
STATE_METRICS = "k8s.io/kube-state-metrics/v2"
AWS = "awscli==1.46.3"  # of PyPI: what operators of the runbook have
ISTIO = "@".join(deploy_tools.SCHEMAS["istio"][:2])
#: Debian packages of a node.
PACKAGES = ("containerd", "runc", "containernetworking-plugins", "nftables", "iproute2", "conntrack")
BUILD_SECONDS = 3600
ATTEMPTS = 3


def stamp():
    """What the programs are made of."""
    parts = sorted(path for path in SOURCE.rglob("*") if path.suffix in (".go", ".mod", ".sum"))
    texts = [path.read_bytes() for path in parts] + [repr((VERSION, MODULES, ISTIO, AWS)).encode()]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def is_built():
    path = HOME / "stamp"
    return path.exists() and path.read_text() == stamp()


def go(*words, folder=SOURCE, **env):
    """Whether it worked; a broken download is tried again."""
    program = shutil.which("go") or s3.go_of_pypi()
    if program is None:
        print("kubernetes: its programs are made with Go 1.24 or newer: https://go.dev", file=sys.stderr)
        return False
    for attempt in range(ATTEMPTS):
        done = subprocess.run([program, *words], cwd=folder, env={**os.environ, "CGO_ENABLED": "0", **env},
                              stdin=subprocess.DEVNULL, timeout=BUILD_SECONDS, check=False)
        if done.returncode == 0:
            return True
        time.sleep(2 ** attempt)
    return False


def make_programs():
    BIN.mkdir(parents=True, exist_ok=True)
    version = "k8s.io/component-base/version"
    flags = f"-s -w -X {version}.gitVersion={VERSION} -X {version}.gitMajor=1 -X {version}.gitMinor=34"
    own = ["build", "-mod=readonly", "-trimpath", "-ldflags", flags, "-o"]
    if not go(*own, str(BIN / "kubernetes"), ".") or not go(*own, str(BIN / "metrics"), "./metrics") \
            or not go(*own, str(BIN / "pause"), "./pause"):
        return False
    for name in PROGRAMS:
        (BIN / name).unlink(missing_ok=True)
        os.link(BIN / "kubernetes", BIN / name)
    if not go("build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", str(BIN / "kube-state-metrics"),
              STATE_METRICS, folder=SOURCE / "state"):
        return False
    return all(go("install", "-trimpath", "-ldflags=-s -w", module, GOBIN=str(BIN)) for module in MODULES.values())


def install_aws():
    """`aws` on PATH of whoever runs in the cluster."""
    venv = HOME / "aws"
    try:
        subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=BUILD_SECONDS)
        subprocess.run([venv / "bin" / "pip", "install", "-q", AWS], check=True, timeout=BUILD_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"kubernetes: {AWS} cannot be installed: {error}", file=sys.stderr)
        return False
    (BIN / "aws").unlink(missing_ok=True)
    (BIN / "aws").symlink_to(venv / "bin" / "aws")
    return True


def build():
    """0 unless there has to be a cluster and cannot be."""
    if is_built():
        return 0
    if make_programs() and deploy_tools.fetch("istio", HOME / "istio-crds.yaml") and install_aws():
        (HOME / "stamp").write_text(stamp())
        return 0
    print("there is no Kubernetes: what needs one is skipped", file=sys.stderr)
    return 1 if os.environ.get("LAB_REQUIRE_BACKENDS") == "1" else 0


def missing(with_node):
    """Why this machine cannot run it; empty when it can."""
    out = []
    if not is_built():
        out.append("its programs are not built: tools/kubernetes.py --build")
    if os.getuid() != 0:
        out.append("namespaces, mounts and control groups need root")
    if not with_node:
        return out
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for name in ("containerd", "runc", "ctr", "nft", "ip"):
        if not shutil.which(name, path=path):
            out.append(f"{name} is not installed: tools/deps.sh {' '.join(PACKAGES)}")
    if not pathlib.Path("/usr/lib/cni/bridge").exists():
        out.append("/usr/lib/cni/bridge is not there: tools/deps.sh containernetworking-plugins")
    groups = pathlib.Path("/sys/fs/cgroup")
    if not os.access(groups, os.W_OK) or not os.access(next(groups.glob("memory*"), groups), os.W_OK):
        out.append("control groups cannot be written: /sys/fs/cgroup")
    if "overlay" not in pathlib.Path("/proc/filesystems").read_text():
        out.append("this kernel has no overlayfs")
    return out


def remove_groups(name):
    """Control groups outlive the processes that were in them."""
    for top in pathlib.Path("/sys/fs/cgroup").glob(f"*/{name}"):
        for folder, _, _ in os.walk(top, topdown=False):
            for _ in range(50):
                try:
                    os.rmdir(folder)
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.1)


def run(command, with_node):
    """The exit status of the command in a cluster."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-k8s-", dir="/tmp"))
    inside = [sys.executable, str(ROOT / "tests" / "rehearsal" / "cluster.py"), str(folder),
              "node" if with_node else "control-plane", *command]
    try:
        with subprocess.Popen(["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--",
                               *inside], preexec_fn=private_server.die_with_parent(signal.SIGKILL)) as process:
            try:
                return process.wait()
            except BaseException:
                process.kill()  # the processes inside go with it
                process.wait()
                raise
    finally:
        remove_groups(folder.name)
        if os.environ.get("LAB_KEEP") != "1":
            shutil.rmtree(folder, ignore_errors=True)


def leave(number, _):
    raise SystemExit(128 + number)


def main(command):
    if command == ["--build"]:
        return build()
    with_node = command[:1] != ["--control-plane"]
    command = command if with_node else command[1:]
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    reasons = missing(with_node)
    if reasons:
        print("kubernetes: not run: " + "; ".join(reasons), file=sys.stderr)
        return 1 if os.environ.get("LAB_REQUIRE_BACKENDS") == "1" else 0
    signal.signal(signal.SIGTERM, leave)
    return run(command, with_node)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
