"""Says what an image is made to be (docker inspect), of its archive. Usage: inspect_image.py FILE"""
import json
import sys
import tarfile

REQUIRED = tuple("org.opencontainers.image." + name for name in ("version", "revision", "created"))


def main(path):
    with tarfile.open(path) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))[0]
        config = json.load(archive.extractfile(manifest["Config"]))["config"]
    print(json.dumps(config, indent=1))
    labels = config.get("Labels") or {}
    wrong = [f"label {name} is missing" for name in REQUIRED if not labels.get(name)]
    if config.get("User", "").split(":")[0] in ("", "0", "root"):
        wrong.append(f"it runs as {config.get('User') or 'root'}")
    wrong += [f"{name} is a secret in the image" for name in ("DATABASE_URL", "JWT_SECRET", "ADMIN_KEY")
              if any(one.startswith(name + "=") for one in config.get("Env") or [])]
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
