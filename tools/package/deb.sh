#!/bin/sh
# A Debian package of each program: the program, its man page, its completions. They are left in target/deb.
#
# PROFILE=dev builds them quickly, to try the packages out.
set -eu
cd "$(dirname "$0")/../.."

profile=${PROFILE:-dist}
folder=$profile
[ "$profile" = dev ] && folder=debug
out=target/deb
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
machine=$(dpkg --print-architecture)

cargo build --profile "$profile" -p kamea-recipes -p kamea-tools --bins --features packaging

package() {
    name=$1 summary=$2
    program=target/$folder/$name
    root=$out/root/$name
    rm -rf "$root"
    mkdir -p "$root/DEBIAN" "$root/usr/bin" "$root/usr/share/man/man1" \
        "$root/usr/share/bash-completion/completions" "$root/usr/share/zsh/vendor-completions" \
        "$root/usr/share/fish/vendor_completions.d" "$root/usr/share/doc/$name"
    install -m 755 "$program" "$root/usr/bin/$name"
    strip "$root/usr/bin/$name"
    "$program" --generate man | gzip -9n >"$root/usr/share/man/man1/$name.1.gz"
    "$program" --generate bash >"$root/usr/share/bash-completion/completions/$name"
    "$program" --generate zsh >"$root/usr/share/zsh/vendor-completions/_$name"
    "$program" --generate fish >"$root/usr/share/fish/vendor_completions.d/$name.fish"
    cat LICENSE-MIT LICENSE-APACHE >"$root/usr/share/doc/$name/copyright"
    size=$(du -sk "$root/usr" | cut -f1)
    # The C library that the program was linked with, or a later one.
    libc=$(objdump -T "$root/usr/bin/$name" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1 | cut -d_ -f2)
    cat >"$root/DEBIAN/control" <<END
Package: $name
Version: $version
Architecture: $machine
Maintainer: The Kamea developers <kamea@localhost>
Installed-Size: $size
Depends: libc6 (>= $libc), libgcc-s1
Section: net
Priority: optional
Description: $summary
END
    dpkg-deb --root-owner-group --build "$root" "$out/${name}_${version}_$machine.deb"
}

package spidey "web server for the files of a folder"
package kamea "runs graphs of components that a text describes"
package thor "client for web servers that makes load and reports it"
package lab "experiments that compare web servers"
rm -rf "$out/root"
