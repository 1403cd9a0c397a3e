"""The front of the service as HAProxy does it: its routes are those of an Istio VirtualService."""

GLOBAL = """global
  log stdout format raw local0 info
  maxconn 4096
  # A new configuration takes the listeners over, so no connection is refused.
  stats socket %s level admin expose-fd listeners
defaults
  mode http
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  option redispatch
  retries 3
"""


class Wrong(Exception):
    """What Istio's own check of its kinds lets through and no proxy can carry out."""


def plain(service, port=8080):
    return [{"route": [{"destination": {"host": service, "port": {"number": port}}, "weight": 100}]}]


def routes(virtual_service):
    """Those of the object, checked: weights are whole, none is negative, together they are 100."""
    found = virtual_service["spec"]["http"]
    for number, rule in enumerate(found):
        weights = [one.get("weight", 100 if len(rule["route"]) == 1 else 0) for one in rule["route"]]
        if any(weight < 0 or weight > 100 for weight in weights) or sum(weights) != 100:
            raise Wrong(f"http[{number}]: the weights {weights} are not shares of 100")
        for match in rule.get("match", []):
            for name, how in match.get("headers", {}).items():
                if set(how) != {"exact"}:
                    raise Wrong(f"http[{number}]: header {name} is matched by {sorted(how)}, and here only by exact")
    if any("match" not in rule for rule in found[:-1]) and len(found) > 1:
        raise Wrong("a rule without a match hides those behind it")
    return found


def front(bind, found, address):
    """The lines of HAProxy. `address` gives that of a service."""
    choose, backends = [], []
    for number, rule in enumerate(found):
        name = f"rule{number}"
        conditions = [f"{{ req.hdr({header}) -m str {how['exact']} }}"
                      for match in rule.get("match", []) for header, how in match.get("headers", {}).items()]
        choose.append(f"  use_backend {name} if {' '.join(conditions)}" if conditions else f"  default_backend {name}")
        backends.append(f"backend {name}\n  balance roundrobin\n  http-reuse never")
        for target, one in enumerate(rule["route"]):
            to = one["destination"]
            weight = one.get("weight", 100)
            # A weight of 100 in one of many, as of 256: HAProxy's shares are the same.
            backends.append(f"  server s{target} {address(to['host'])}:{to['port']['number']} weight {weight}")
    return "\n".join([f"frontend front\n  bind {bind}\n  option forwardfor", *choose, *backends, ""])
