"""What a node needs of its machine, in private namespaces: addresses, mounts, and the settings of its programs."""
import json
import os
import pathlib
import subprocess
import time

NODE_IP = "198.18.255.1"
POD_SUBNET = "198.18.0.0/20"
CONTAINERD = "/run/containerd/containerd.sock"
#: A deployment's ten pods and another's three ask for 500m each: more than a small machine has.
CPUS = 32
#: What the kubelet insists on; it gets its way in files of our own.
KERNEL = {"vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10, "kernel/panic_on_oops": 1,
          "kernel/keys/root_maxkeys": 1000000, "kernel/keys/root_maxbytes": 25000000}
#: Names of the runbook that stand outside of the cluster.
OUTSIDE = ("prometheus", "postgres.internal", "redis.cluster.internal", "clickhouse.cluster.internal", "s3.internal",
           "otel-collector.internal", "llm.internal", "hooks.internal", "api.llm-research-lab.io")


def call(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, timeout=30)


def network():
    call("ip", "link", "set", "lo", "up")
    call("ip", "address", "add", NODE_IP + "/32", "dev", "lo")
    call("ip", "route", "add", "default", "dev", "lo")
    pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def bind(source, target):
    call("mount", "--bind", str(source), str(target))


def prepare(folder):
    """Mounts, in this namespace alone."""
    call("mount", "--make-rshared", "/")
    call("mount", "-t", "tmpfs", "tmpfs", "/run")
    for name in ("kubelet", "pods", "containers", "cni", "containerd"):
        (folder / name).mkdir()
    for name, target in (("pods", "/var/log/pods"), ("containers", "/var/log/containers"), ("cni", "/var/lib/cni")):
        pathlib.Path(target).mkdir(parents=True, exist_ok=True)
        bind(folder / name, target)
    names = folder / "etc"
    names.mkdir()
    (names / "hosts").write_text(f"127.0.0.1 localhost\n{NODE_IP} node {' '.join(OUTSIDE)}\n")
    (names / "resolv.conf").write_text(f"nameserver {NODE_IP}\noptions timeout:2 attempts:2\n")
    bind(names / "hosts", "/etc/hosts")
    bind(names / "resolv.conf", "/etc/resolv.conf")
    for number, (key, value) in enumerate(KERNEL.items()):
        path = folder / f"kernel{number}"
        path.write_text(f"{value}\n")
        bind(path, f"/proc/sys/{key}")
    processors()
    for controller in pathlib.Path("/sys/fs/cgroup").iterdir():
        if controller.is_dir() and not controller.is_symlink() and (controller / "cgroup.procs").exists():
            (controller / folder.name).mkdir(exist_ok=True)


def processors():
    """More than there are, by name: cpu0 cpu1 cpu00 cpu01 ... The numbers stay those of processors that exist, since
    the kubelet writes them into a cpuset."""
    top = pathlib.Path("/sys/devices/system/node/node0")
    if not top.exists():
        return
    real = max(1, os.cpu_count() or 1)
    memory = "".join(f"Node 0 {line}\n" for line in pathlib.Path("/proc/meminfo").read_text().splitlines())
    distance = (top / "distance").read_text()
    call("mount", "-t", "tmpfs", "tmpfs", str(top))
    (top / "meminfo").write_text(memory)
    (top / "distance").write_text(distance)
    for number in range(CPUS):
        folder = top / f"cpu{'0' * (number // real)}{number % real}" / "topology"
        folder.mkdir(parents=True)
        (folder / "core_id").write_text(f"{number}\n")
        (folder / "physical_package_id").write_text("0\n")


def containerd_config(folder, pause_image):
    plugins = folder / "net.d"
    plugins.mkdir()
    (plugins / "10-bridge.conflist").write_text(json.dumps({
        "cniVersion": "1.0.0", "name": "lab", "plugins": [
            {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipMasq": False,
             "ipam": {"type": "host-local", "dataDir": str(folder / "cni" / "networks"),
                      "ranges": [[{"subnet": POD_SUBNET}]], "routes": [{"dst": "0.0.0.0/0"}]}},
            {"type": "portmap", "capabilities": {"portMappings": True}}]}))
    path = folder / "containerd.toml"
    path.write_text(f"""version = 2
root = "{folder}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{CONTAINERD}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause_image}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{plugins}"
""")
    return path


def kubelet_config(folder, keys):
    path = folder / "kubelet.json"
    path.write_text(json.dumps({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "address": NODE_IP, "port": 10250, "readOnlyPort": 0, "healthzBindAddress": "127.0.0.1",
        "authentication": {"x509": {"clientCAFile": keys.path("ca.crt")}, "anonymous": {"enabled": False},
                           "webhook": {"enabled": True}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": keys.path("kubelet-server.crt"), "tlsPrivateKeyFile": keys.path("kubelet-server.key"),
        "containerRuntimeEndpoint": "unix://" + CONTAINERD, "clusterDomain": "cluster.local",
        "clusterDNS": [NODE_IP], "resolvConf": str(folder / "etc" / "resolv.conf"),
        "cgroupDriver": "cgroupfs", "cgroupRoot": "/" + folder.name, "failCgroupV1": False, "failSwapOn": False,
        "configMapAndSecretChangeDetectionStrategy": "Watch", "syncFrequency": "10s",
        "makeIPTablesUtilChains": False, "imageGCHighThresholdPercent": 100, "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "nodefs.inodesFree": "1%",
                         "imagefs.available": "1%"},
        "featureGates": {"KubeletInUserNamespace": True}, "maxPods": 100, "enableControllerAttachDetach": True,
        "volumePluginDir": str(folder / "plugins"), "staticPodPath": "", "podLogsDir": "/var/log/pods",
        "serializeImagePulls": False, "nodeStatusUpdateFrequency": "5s", "cpuManagerPolicy": "none"}))
    return path


def proxy_config(folder, kubeconfig, pods):
    path = folder / "proxy.json"
    path.write_text(json.dumps({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "nftables",
        "hostnameOverride": "node", "clusterCIDR": pods, "clientConnection": {"kubeconfig": kubeconfig},
        "bindAddress": "0.0.0.0", "healthzBindAddress": "127.0.0.1:10256", "metricsBindAddress": "127.0.0.1:10249",
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "nftables": {"minSyncPeriod": "0.2s", "syncPeriod": "30s"}}))
    return path


def stop_containers():
    """Every process of every container, at once."""
    ctr = ["ctr", "--address", CONTAINERD, "-n", "k8s.io"]
    listed = subprocess.run([*ctr, "tasks", "ls", "-q"], stdout=subprocess.PIPE, text=True, timeout=30, check=False)
    for name in listed.stdout.split():
        subprocess.run([*ctr, "tasks", "kill", "-a", "-s", "SIGKILL", name], timeout=30, check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if listed.stdout.split():
        time.sleep(0.5)
