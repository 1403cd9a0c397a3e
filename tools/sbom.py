#!/usr/bin/env python3
"""Says what an image is made of: a list in the form of CycloneDX 1.5, of the packages that dpkg knows of.

Usage: sbom.py ROOT NAME VERSION [FILE]     ROOT: the root of the image; FILE: where the list goes, stdout otherwise

Each package has its version, its source package, and a package URL that scanners look up. The list is the same for
the same packages: it has no time and no random number.
"""
import json
import pathlib
import sys
import urllib.parse
import uuid


def packages(root):
    """Of dpkg's status file: installed ones, as dictionaries of their fields."""
    out = []
    status = (root / "var/lib/dpkg/status").read_text(encoding="utf-8")
    for stanza in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.split("\n") if ": " in line and not line.startswith(" "))
        if fields.get("Status") == "install ok installed":
            out.append(fields)
    return sorted(out, key=lambda one: (one["Package"], one["Architecture"]))


def component(fields):
    name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
    # "openssl (3.0.1-1)" where the version of the source differs.
    source = fields.get("Source", name).split(" ")[0]
    purl = f"pkg:deb/debian/{urllib.parse.quote(name, safe='')}@{urllib.parse.quote(version, safe='')}" \
           f"?arch={architecture}&distro=debian-12"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "properties": [{"name": "debian:source", "value": source}],
    }


def bill(root, name, version):
    components = [component(fields) for fields in packages(root)]
    reference = f"pkg:generic/{name}@{version}"
    listed = json.dumps(components, sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, reference + listed)}",
        "version": 1,
        "metadata": {"component": {
            "type": "application", "bom-ref": reference, "name": name, "version": version, "purl": reference,
            "licenses": [{"license": {"id": "Apache-2.0"}}],
        }},
        "components": components,
        "dependencies": [{"ref": reference, "dependsOn": [one["bom-ref"] for one in components]}],
    }


def main(arguments):
    if len(arguments) not in (3, 4):
        print(__doc__, file=sys.stderr)
        return 2
    text = json.dumps(bill(pathlib.Path(arguments[0]), arguments[1], arguments[2]), indent=1) + "\n"
    if len(arguments) == 4:
        pathlib.Path(arguments[3]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
