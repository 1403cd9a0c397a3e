"""A Kubernetes of one node, in the namespaces that tools/kubernetes.py made for it: this is their first process,
and all ends with it.

Usage: cluster.py FOLDER node|control-plane COMMAND...
"""
import contextlib
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request

import images
import machine

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HOME = ROOT / "build" / "kubernetes"
BIN = HOME / "bin"
NODE_IP = machine.NODE_IP
SERVICES, PODS = "198.19.0.0/16", "198.18.0.0/17"
API = f"https://{NODE_IP}:6443"
START_SECONDS = 180
PAUSE_IMAGE = "lab.local/pause:v1.0.0"
STATE_METRICS = "127.0.0.1:8091"  # kube-state-metrics; its own figures are a port above


class Broken(Exception):
    """The cluster does not come up, or a part of it ended."""


class Keys:
    """An authority and what it signs, as files of a folder."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.openssl("req", "-x509", *self.new("ca"), "-days", "30", "-subj", "/CN=authority")
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.path("sa.key"))
        self.openssl("ec", "-in", self.path("sa.key"), "-pubout", "-out", self.path("sa.pub"))

    def path(self, name):
        return str(self.folder / name)

    def new(self, name):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.path(name + ".key"),
                "-out", self.path(name + ".crt"))

    def openssl(self, *words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    def sign(self, name, subject, names=()):
        more = ("-addext", "subjectAltName=" + ",".join(names)) if names else ()
        self.openssl("req", "-x509", *self.new(name), "-days", "30", "-subj", subject, *more,
                     "-addext", "basicConstraints=critical,CA:FALSE", "-CA", self.path("ca.crt"),
                     "-CAkey", self.path("ca.key"))

    def kubeconfig(self, name, subject):
        """The path of one that shows this subject."""
        self.sign(name, subject)
        path = self.folder / (name + ".conf")
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "lab",
            "clusters": [{"name": "lab", "cluster": {"server": API, "certificate-authority": self.path("ca.crt")}}],
            "users": [{"name": name, "user": {"client-certificate": self.path(name + ".crt"),
                                              "client-key": self.path(name + ".key")}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": name}}]}))
        return str(path)


class Cluster:
    def __init__(self, folder, with_node):
        self.folder, self.with_node = folder, with_node
        self.running = {}
        self.keys = Keys(folder / "keys")
        self.admin = self.keys.kubeconfig("admin", "/O=system:masters/CN=admin")

    def spawn(self, name, *words, **env):
        with open(self.folder / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(
                [str(word) for word in words], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                cwd=self.folder, env={**os.environ, **env})

    def wait(self, what, condition, seconds=START_SECONDS):
        end = time.monotonic() + seconds
        while True:
            for name, process in self.running.items():
                if process.poll() is not None:
                    raise Broken(f"{name} ended with {process.returncode}:\n{self.tail(name)}")
            with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError, KeyError):
                if condition():
                    return
            if time.monotonic() > end:
                raise Broken(f"{what}: not within {seconds} s\n" + "\n".join(map(self.tail, self.running)))
            time.sleep(0.2)

    def tail(self, name, lines=15):
        text = (self.folder / f"{name}.log").read_text(errors="replace")
        return f"--- {name}\n" + "\n".join(text.splitlines()[-lines:])

    def get(self, path, port=6443):
        context = ssl.create_default_context(cafile=self.keys.path("ca.crt"))
        context.load_cert_chain(self.keys.path("admin.crt"), self.keys.path("admin.key"))
        with urllib.request.urlopen(f"https://{NODE_IP}:{port}{path}", context=context, timeout=5) as answer:
            return answer.read().decode()

    def kubectl(self, *words, stdin=None):
        done = subprocess.run([BIN / "kubectl", "--kubeconfig", self.admin, *words], input=stdin, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        if done.returncode != 0:
            raise Broken(f"kubectl {' '.join(words)}: {done.stdout}")
        return done.stdout

    def apply(self, *objects):
        """Once the server has the kinds."""
        text = "\n---\n".join(map(json.dumps, objects))
        self.kubectl("apply", "--server-side", "-f", "-", stdin=text)

    def start(self):
        self.start_control_plane()
        if self.with_node:
            self.start_node()
            self.start_names()
            self.start_metrics()
        return self

    def start_control_plane(self):
        self.spawn("etcd", BIN / "etcd", "--data-dir", self.folder / "etcd", "--unsafe-no-fsync",
                   "--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
                   "--listen-peer-urls=http://127.0.0.1:2380", "--log-level=warn")
        keys = self.keys
        keys.sign("apiserver", "/CN=kube-apiserver", (
            "DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc", "DNS:localhost",
            "IP:198.19.0.1", f"IP:{NODE_IP}", "IP:127.0.0.1"))
        keys.sign("to-kubelet", "/O=system:masters/CN=kube-apiserver-kubelet-client")
        keys.sign("front-proxy", "/CN=front-proxy-client")
        self.spawn(
            "kube-apiserver", BIN / "kube-apiserver", "--etcd-servers=http://127.0.0.1:2379",
            f"--advertise-address={NODE_IP}", "--secure-port=6443", f"--service-cluster-ip-range={SERVICES}",
            "--authorization-mode=Node,RBAC", "--client-ca-file=" + keys.path("ca.crt"),
            "--tls-cert-file=" + keys.path("apiserver.crt"), "--tls-private-key-file=" + keys.path("apiserver.key"),
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-key-file=" + keys.path("sa.pub"),
            "--service-account-signing-key-file=" + keys.path("sa.key"),
            "--kubelet-certificate-authority=" + keys.path("ca.crt"),
            "--kubelet-client-certificate=" + keys.path("to-kubelet.crt"),
            "--kubelet-client-key=" + keys.path("to-kubelet.key"), "--kubelet-preferred-address-types=InternalIP",
            "--requestheader-client-ca-file=" + keys.path("ca.crt"),
            "--requestheader-allowed-names=front-proxy-client", "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group", "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--proxy-client-cert-file=" + keys.path("front-proxy.crt"),
            "--proxy-client-key-file=" + keys.path("front-proxy.key"), "--enable-aggregator-routing=true",
            "--allow-privileged=true", "--profiling=false", "--cert-dir", self.folder)
        self.wait("API server", lambda: self.get("/readyz") == "ok")
        self.spawn(
            "kube-controller-manager", BIN / "kube-controller-manager",
            "--kubeconfig", keys.kubeconfig("controllers", "/CN=system:kube-controller-manager"),
            "--use-service-account-credentials", "--service-account-private-key-file=" + keys.path("sa.key"),
            "--root-ca-file=" + keys.path("ca.crt"), "--leader-elect=false",
            "--horizontal-pod-autoscaler-sync-period=5s", "--bind-address=127.0.0.1", "--cert-dir", self.folder)
        self.wait("controllers", lambda: self.get("/api/v1/namespaces/default/serviceaccounts/default"))

    def start_node(self):
        keys, folder = self.keys, self.folder
        machine.prepare(folder)
        self.spawn("containerd", "containerd", "--config", machine.containerd_config(folder, PAUSE_IMAGE))
        self.wait("containerd", lambda: pathlib.Path(machine.CONTAINERD).is_socket())
        images.save(folder / "pause.tar", PAUSE_IMAGE, {"pause": BIN / "pause"}, ["/pause"], user="65535:65535")
        self.import_image(folder / "pause.tar")
        keys.sign("kubelet-server", "/CN=node", (f"IP:{NODE_IP}", "DNS:node"))
        self.spawn("kube-scheduler", BIN / "kube-scheduler", "--leader-elect=false", "--bind-address=127.0.0.1",
                   "--kubeconfig", keys.kubeconfig("scheduler", "/CN=system:kube-scheduler"),
                   "--cert-dir", folder)
        self.spawn("kube-proxy", BIN / "kube-proxy", "--config",
                   machine.proxy_config(folder, keys.kubeconfig("proxy", "/CN=system:kube-proxy"), PODS))
        self.spawn("kubelet", BIN / "kubelet", "--config", machine.kubelet_config(folder, keys),
                   "--kubeconfig", keys.kubeconfig("node", "/O=system:nodes/CN=system:node:node"),
                   "--hostname-override=node", f"--node-ip={NODE_IP}", f"--root-dir={folder / 'kubelet'}")
        self.wait("node", self.node_is_ready)

    def node_is_ready(self):
        node = json.loads(self.get("/api/v1/nodes/node"))
        return any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"]["conditions"])

    def import_image(self, path):
        subprocess.run(["ctr", "--address", machine.CONTAINERD, "-n", "k8s.io", "images", "import", str(path)],
                       check=True, stdout=subprocess.DEVNULL, timeout=120)

    def start_names(self):
        """Names of services, and those that /etc/hosts has, for pods and for this side."""
        config = self.folder / "Corefile"
        config.write_text(
            "cluster.local:53 {\n bind %(ip)s\n kubernetes cluster.local {\n  kubeconfig %(admin)s lab\n }\n}\n"
            ".:53 {\n bind %(ip)s\n hosts /etc/hosts {\n  reload 1s\n  ttl 1\n }\n}\n"
            % {"ip": NODE_IP, "admin": self.admin})
        self.spawn("coredns", BIN / "coredns", "-conf", config)

        def answers():
            with socket.create_connection((NODE_IP, 53), timeout=1):
                return True
        self.wait("names", answers)

    def start_metrics(self):
        self.keys.sign("metrics", "/CN=metrics", (f"IP:{NODE_IP}", "DNS:metrics.kube-system.svc"))
        self.spawn("metrics", BIN / "metrics", "-listen", f"{NODE_IP}:4443", "-api", API,
                   "-kubelet", f"https://{NODE_IP}:10250", "-keys", self.keys.folder)
        objects = [
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "metrics", "namespace": "kube-system"},
             "spec": {"ports": [{"name": "https", "port": 443, "targetPort": 4443}]}},
            {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
             "metadata": {"name": "metrics", "namespace": "kube-system",
                          "labels": {"kubernetes.io/service-name": "metrics"}},
             "ports": [{"name": "https", "port": 4443}],
             "endpoints": [{"addresses": [NODE_IP], "conditions": {"ready": True}}]},
        ]
        for group, version in (("metrics.k8s.io", "v1beta1"), ("custom.metrics.k8s.io", "v1beta1")):
            objects.append({
                "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
                "metadata": {"name": f"{version}.{group}"},
                "spec": {"group": group, "version": version, "groupPriorityMinimum": 100, "versionPriority": 100,
                         "service": {"name": "metrics", "namespace": "kube-system"}, "insecureSkipTLSVerify": True}})
        self.apply(*objects)
        self.wait("metrics", lambda: json.loads(self.get("/apis/metrics.k8s.io/v1beta1/nodes"))["items"])
        host, port = STATE_METRICS.split(":")
        self.spawn("kube-state-metrics", BIN / "kube-state-metrics", "--kubeconfig", self.admin, "--host", host,
                   "--port", port, "--telemetry-host", host, "--telemetry-port", str(int(port) + 1),
                   "--resources=pods,deployments,replicasets,horizontalpodautoscalers,resourcequotas")

    def stop(self):
        """Pods first: their processes would hold the control groups."""
        if self.with_node and "kubelet" in self.running:
            self.running.pop("kubelet").kill()
            machine.stop_containers()
        for process in reversed(self.running.values()):
            process.kill()
            process.wait()


def call(cluster, command):
    env = {**os.environ, "KUBECONFIG": cluster.admin, "LAB_NODE_IP": NODE_IP,
           "LAB_KUBERNETES": str(cluster.folder), "LAB_CONTAINERD": machine.CONTAINERD,
           "LAB_ISTIO_CRDS": str(HOME / "istio-crds.yaml"), "LAB_STATE_METRICS": STATE_METRICS, "PATH": f"{BIN}:{os.environ['PATH']}"}
    with subprocess.Popen(command, env=env) as process:
        return process.wait()


def run(folder, mode, command):
    """The exit status of the command."""
    machine.network()
    started = time.monotonic()
    cluster = Cluster(folder, mode == "node")
    try:
        cluster.start()
        print(f"kubernetes: up after {time.monotonic() - started:.1f} s", file=sys.stderr)
        return call(cluster, command)
    except Broken as error:
        print(f"kubernetes: {error}", file=sys.stderr)
        return 1
    finally:
        cluster.stop()


def main(folder, mode, *command):
    """The first process of a namespace gets all orphans: it does nothing but bury them, until its child ends."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        return run(pathlib.Path(folder), mode, command)
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status) & 255


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
