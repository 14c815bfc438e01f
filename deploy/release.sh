#!/bin/sh
# Packs a release into target/dist: a tarball, a package for Debian, and their SHA256SUMS. Then it builds both images, where
# docker or podman runs. The same program and commit give the same bytes.
#   deploy/release.sh [--program FILE] [--out DIR]        at the root of the repository, as `make dist` does
# --program packs a program that is built already, and builds no image.
set -eu

program='' out=target/dist
while [ $# -gt 0 ]; do
    case $1 in
        --program) program=$2 ;;
        --out) out=$2 ;;
        *) echo "usage: $0 [--program FILE] [--out DIR]" >&2 && exit 2 ;;
    esac
    shift 2
done
if [ -z "$program" ]; then
    make release
fi
built=${program:-target/release/trailweave}

export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"
version=$("$built" --version | sed -n '1s/.* //p')
name=trailweave-$version-$(rustc -vV | sed -n 's/^host: //p')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

files=$work/$name
mkdir -p "$files/completions" "$files/config"
strip -o "$files/trailweave" "$built"
"$built" man --out "$files/man1"
"$built" completions bash > "$files/completions/trailweave.bash"
"$built" completions fish > "$files/completions/trailweave.fish"
"$built" completions zsh > "$files/completions/_trailweave"
cp LICENSE README.md "$files"
cp config/default.toml "$files/config"

# The same and the documents, where Debian looks for them. Units of systemd are examples: a package must not start a job
# that is not configured.
root=$work/deb
share=$root/usr/share
doc=$share/doc/trailweave
mkdir -p "$root/DEBIAN" "$root/usr/bin" "$doc/examples" "$share/man" "$share/bash-completion/completions" \
    "$share/fish/vendor_completions.d" "$share/zsh/vendor-completions"
cp "$files/trailweave" "$root/usr/bin"
cp -R "$files/man1" "$share/man"
gzip -9n "$share/man/man1"/*
cp "$files/completions/trailweave.bash" "$share/bash-completion/completions/trailweave"
cp "$files/completions/trailweave.fish" "$share/fish/vendor_completions.d"
cp "$files/completions/_trailweave" "$share/zsh/vendor-completions"
cp LICENSE "$doc/copyright"
gzip -9n < CHANGELOG.md > "$doc/changelog.gz"
cp -R README.md docs "$doc"
cp -R config/default.toml deploy/policy.json deploy/systemd "$doc/examples"
(cd "$root" && find usr -type f -exec md5sum {} + | LC_ALL=C sort -k 2 > DEBIAN/md5sums)
glibc=$(objdump -T "$built" | sed -n 's/.*GLIBC_\([0-9.]*\).*/\1/p' | sort -V | tail -n 1)
architecture=$(dpkg --print-architecture)
# To Debian a version with a tilde is older than the one without.
cat > "$root/DEBIAN/control" << END
Package: trailweave
Version: $(echo "$version" | tr - '~')
Architecture: $architecture
Section: admin
Priority: optional
Maintainer: The Trailweave authors
Installed-Size: $(find "$root/usr" -type f -printf '%s\n' | awk '{ kib += int(($1 + 1023) / 1024) } END { print kib }')
Depends: libc6 (>= $glibc), libgcc-s1
Recommends: ca-certificates
Description: tells which EC2 action made which KMS call
 Reads CloudTrail objects from S3 or a folder, joins KMS with EC2 events, and
 writes Parquet that says which EC2 action, by whom, made which KMS call, and
 for which instance, volume, key and grant.
END

chmod -R u=rwX,go=rX "$work"
find "$work" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$out"
deb=trailweave_${version}_$architecture.deb
tar -c -f "$out/$name.tar.gz" -I 'gzip -n' --sort=name --owner=root:0 --group=root:0 -C "$work" "$name"
# Every Debian reads xz.
DPKG_DEB_COMPRESSOR_TYPE=${DPKG_DEB_COMPRESSOR_TYPE:-xz} dpkg-deb --root-owner-group --build "$root" "$out/$deb"
(cd "$out" && sha256sum "$deb" "$name.tar.gz" > SHA256SUMS)

images() {
    commit=$(git rev-parse HEAD)
    "$1" build -f deploy/Dockerfile --build-arg "COMMIT=$commit" -t "trailweave:$version" .
    "$1" build -f deploy/Dockerfile --build-arg "COMMIT=$commit" -t "trailweave:$version-job" --target job .
}
if [ -n "$program" ]; then
    echo "Built no images: these would hold another program than $program"
elif docker info > /dev/null 2>&1; then
    images docker
elif podman info > /dev/null 2>&1; then
    images podman
else
    echo 'Built no images: neither docker nor podman runs here'
fi
