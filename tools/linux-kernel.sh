#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's arm64 Linux, to compare with. Fetches it once, as an ordinary user, with an apt state of
# its own and from the mirror that this machine's apt uses anyway.
#	linux-kernel.sh DIR [SERIES]	SERIES is 6.12 (default) or 6.1; prints the path of its Image
# Beside DIR/SERIES/Image lie "release" (what uname -r says there), "package", "config" and "modules", those
# that a root on 9p needs.
set -u
. "$(dirname -- "$0")/own-apt.sh"
series=${2:-6.12}
mkdir -p "$1" || exit 125
home=$(cd "$1" && pwd -P)/$series

say() {
	echo "mmkit: $*" >&2
}

die() {
	say "$*"
	exit 125
}

# The suite that has the series: Debian 13 has 6.12, 12 has 6.1, and 6.12 in its backports.
suite_of() {
	case $series:$1 in
	6.12:bookworm) echo bookworm-backports ;;
	6.12:*) echo trixie ;;
	6.1:*) echo bookworm ;;
	*) return 1 ;;
	esac
}

# The newest package of the series that is neither for clouds, nor real time, nor of 16 KiB pages.
newest() {
	own_apt apt-cache --names-only search "^linux-image-$(echo "$series" | sed 's/\./\\./g')\..*-arm64\$" |
		sed 's/ .*//' | grep -v -e -cloud- -e -rt- -e -16k- | sort -V | tail -n 1
}

# In a directory that vanishes: the package, and out of it what is kept.
fetch() {
	archive=$(host_archive)
	[ -n "$archive" ] || die "apt on this machine has no source of Debian's packages (apt-get indextargets)"
	suite=$(suite_of "${archive##*|}") || die "$series: no such Linux series; there are 6.12 and 6.1"
	make_apt "${archive%|*}" "$suite" || die "cannot write $apt"
	own_apt apt-get -q update >"$apt/log" 2>&1
	package=$(newest)
	[ -n "$package" ] || {
		tail -n 5 "$apt/log" >&2
		die "no arm64 kernel $series in $suite of the mirror ${archive%|*}"
	}
	say "fetching Debian's $package from $suite"
	cd "$apt" && own_apt apt-get -q download "$package" >"$apt/log" 2>&1 || {
		tail -n 5 "$apt/log" >&2
		die "$package could not be fetched"
	}
	dpkg-deb --fsys-tarfile "$package"_*.deb |
		tar -x --wildcards './boot/*' '*/fs/9p/*' '*/fs/netfs/*' '*/net/9p/*' '*/virtio_mmio.ko*' '*/virtio-rng.ko*' ||
		die "$package cannot be unpacked"
}

# The directory appears whole or not at all.
keep() {
	mkdir -p "$home.new/modules" && find "$apt/lib" -name '*.ko*' -exec mv {} "$home.new/modules/" ';' &&
		mv "$apt"/boot/vmlinuz-* "$home.new/Image" &&
		mv "$apt"/boot/config-* "$home.new/config" &&
		(cd "$apt" && echo "$package"_*.deb) | sed 's/_arm64\.deb$//; s/_/ /' >"$home.new/package" &&
		sed -n 's/^linux-image-\([^ ]*\).*/\1/p' "$home.new/package" >"$home.new/release" &&
		rm -rf "$home" && mv "$home.new" "$home" || die "cannot write $home"
}

exec 8>"$home.lock" && flock 8 || die "cannot write $home.lock"
if [ ! -e "$home/modules" ]; then # a state of before there were any has none
	rm -rf "$home.new"
	apt=$(mktemp -d "$home.apt.XXXXXX") || die "cannot write $home"
	trap 'rm -rf "$apt"' EXIT
	trap 'exit 130' INT TERM HUP
	fetch
	keep
	say "Linux $(cat "$home/release")"
fi
echo "$home/Image"
