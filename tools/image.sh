#!/usr/bin/env bash
# Builds the image of the program without a Docker engine: a base of Debian packages, then deploy/image/Dockerfile with
# the program that is built already. The archive, the list of what is in it and its size are in build/image.
#
# Usage: image.sh [--fresh] [PROGRAM]     PROGRAM: build/release/llm-research; --fresh makes the base anew as well
#
# Runs as root. Packages come from where apt of this machine gets them; no address of it stays in the image. The same
# packages and the same commit make the same image, byte for byte: layers have the time of the commit.
set -euo pipefail
cd "$(dirname "$0")/.."

fresh=
program=build/release/llm-research
for argument in "$@"; do
    case $argument in
    --fresh) fresh=1 ;;
    -*) echo "image: unknown argument $argument" >&2 && exit 2 ;;
    *) program=$argument ;;
    esac
done
[ -x "$program" ] || { echo "image: there is no $program: make build" >&2 && exit 1; }
[ "$(id -u)" -eq 0 ] || { echo "image: has to be run as root (buildah with chroot isolation)" >&2 && exit 1; }
tools/deps.sh mmdebstrap buildah >/dev/null

SUITE=bookworm
NAME=ghcr.io/llm-research-lab/api
version=v$(cat VERSION)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y VERSION)}
export SOURCE_DATE_EPOCH
out=$PWD/build/image
mkdir -p "$out/context"

# Where apt gets this suite from.
# shellcheck disable=SC2016  # the names are those of apt
sources() {
    apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        grep -E " $SUITE(-updates|-security)? main\$" | sort -u
}

# A folder with the essential packages and ours, without documentation, and without apt and what it would know.
make_base() {
    local packages folder=$out/base.new
    packages=$(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' deploy/image/packages.txt | paste -sd,)
    rm -rf "$folder" "$out/base"
    # Mails of apt about its user, and other words that are for who has a terminal, are in the log.
    if ! sources | mmdebstrap --mode=root --variant=essential --format=directory --include="$packages" \
        --aptopt='Acquire::Retries "3"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' "$SUITE" "$folder" - >"$out/base.log" 2>&1; then
        tail -n 20 "$out/base.log" >&2
        echo "image: the base could not be made: its words are above" >&2
        return 1
    fi
    (cd "$folder" && rm -rf etc/apt var/lib/apt var/lib/dbus var/lib/dpkg/*-old etc/dpkg/dpkg.cfg.d/99mmdebstrap \
        etc/hostname etc/resolv.conf etc/machine-id && find var/cache var/log run dev -mindepth 1 -delete)
    find "$folder" -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0r touch --no-dereference --date="@$SOURCE_DATE_EPOCH"
    mv "$folder" "$out/base"
    cp deploy/image/packages.txt "$out/base.packages"
}

build() { buildah --root "$out/storage" --runroot "$out/run" --storage-driver vfs "$@"; }

if [ -n "$fresh" ] || [ ! -d "$out/base" ] || ! cmp -s deploy/image/packages.txt "$out/base.packages"; then
    make_base
fi
objcopy --strip-debug "$program" "$out/context/llm-research"

# Names that no registry has: nothing is looked for outside.
rm -rf "$out/storage" "$out/run"
printf 'FROM scratch\nCOPY . /\n' >"$out/base.Dockerfile"
build bud --quiet --isolation chroot --pull-never --timestamp "$SOURCE_DATE_EPOCH" -t localhost/lab-base \
    -f "$out/base.Dockerfile" "$out/base" >/dev/null
mkdir -p "$out/stage/out" "$out/files/deploy/image"
cp "$out/context/llm-research" "$out/stage/out/"
cp -r LICENSE migrations "$out/files/"
cp deploy/image/packages.txt "$out/files/deploy/image/"
build bud --quiet --isolation chroot --pull-never --timestamp "$SOURCE_DATE_EPOCH" \
    --build-arg BASE=localhost/lab-base --build-context build="$out/stage" --build-arg VERSION="$version" \
    --build-arg REVISION="$revision" --build-arg CREATED="$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" \
    -t "$NAME:$version" -f deploy/image/Dockerfile "$out/files" >/dev/null
rm -f "$out/llm-research.tar"
build push --quiet "$NAME:$version" "docker-archive:$out/llm-research.tar:$NAME:$version"
rm -rf "$out/storage" "$out/run" "$out/stage" "$out/files" "$out/context"

python3 tools/sbom.py "$out/base" llm-research "$version" "$out/llm-research.cdx.json"
size=$(stat -c %s "$out/llm-research.tar")
echo "build/image/llm-research.tar: $NAME:$version, $((size / 1000000)) MB," \
    "$(grep -c '"type": "library"' "$out/llm-research.cdx.json") packages, sha256 $(sha256sum <"$out/llm-research.tar" | cut -c1-16)"
# Bound of a release: 250 MB.
[ "$size" -lt 250000000 ] || { echo "image: larger than 250 MB" >&2 && exit 1; }
