#!/bin/sh
# Customize hook of mmdebstrap: unpacks Debian's cloud kernel into the root without installing it, which would make an
# initramfs that nobody uses.
set -eu
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | head -n 1)
mkdir "$1/kernel"
cd "$1/kernel"
apt-get -q download "$package"
dpkg-deb -x ./*.deb "$1/kernel"
mv "$1"/kernel/boot/vmlinuz-* "$1/vmlinuz"
mv "$1/kernel/lib/modules" "$1/usr/lib/modules"
rm -rf "$1/kernel"
chroot "$1" depmod "$(ls "$1/usr/lib/modules")"
