"""What postgres.py, redis.py and s3.py share: servers of one's own for a command."""
import ctypes
import secrets
import socket


def free_port(*neighbours):
    """On the loopback address, below the ports that outgoing connections take. Also free are those that lie
    so much above it."""
    for _ in range(200):
        port = 12000 + secrets.randbelow(20000 - max(neighbours, default=0))
        probes = [socket.socket() for _ in range(1 + len(neighbours))]
        try:
            for probe, above in zip(probes, (0, *neighbours)):
                probe.bind(("127.0.0.1", port + above))
            return port
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
    raise RuntimeError("no free port on the loopback address")


def die_with_parent(number):
    """For preexec_fn: a server must not outlive whoever started it, however that ends; it gets this signal."""
    def ask():
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, number)
    return ask
