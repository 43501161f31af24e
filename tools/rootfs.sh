#!/bin/sh
# SPDX-License-Identifier: MIT
# A guest's root of Debian's arm64 packages and all they depend on, made by an ordinary user: the
# packages are unpacked, none of their scripts is run. What those would make and programs count on
# is made here; a busybox stands in for the essential packages, which no dependency names.
#	rootfs.sh STATE TREE DIR PACKAGE...	STATE: apt's, kept; TREE: where busybox is
# Exit status: 2 for a call that cannot work, 125 if the packages cannot be had.
set -u
. "$(dirname -- "$0")/own-apt.sh"

say() {
	echo "mmkit: $*" >&2
}

die() {
	status=$1
	shift
	say "$*"
	exit "$status"
}

# The first thing that apt complained about.
complaint() {
	sed -n 's/^[EW]: //p' "$apt/log" | head -n 1
}

open_apt() {
	command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
		die 125 "this is not Debian: rootfs needs apt-get and dpkg-deb"
	mkdir -p "$apt" && apt=$(cd "$apt" && pwd -P) && exec 8>"$apt/.lock" && flock 8 ||
		die 125 "cannot write $apt"
	archive=$(host_archive 2>/dev/null)
	[ -n "$archive" ] || die 125 "apt on this machine has no source of Debian's packages (apt-get indextargets)"
	make_apt "${archive%|*}" "${archive##*|}" || die 125 "cannot write $apt"
	own_apt apt-get -q -o APT::Update::Error-Mode=any update >"$apt/log" 2>&1 ||
		die 125 "no list of packages from ${archive%|*}: $(complaint)"
}

# apt itself would take more than names: patterns, versions, and "name-" for removal.
check_names() {
	for package; do
		own_apt apt-cache pkgnames "$package" 2>/dev/null | grep -Fxq -e "$package" ||
			die 2 "$package: no such package in Debian's ${archive##*|}"
	done
}

install_apt() {
	own_apt apt-get -q -y --no-install-recommends "$@"
}

# Leaves the names of the files, which are then in apt's cache, in $apt/files. (--print-uris would
# leave out what the cache has.)
fetch() {
	install_apt --simulate install "$@" >"$apt/plan" 2>"$apt/log" ||
		die 2 "these packages cannot be had together: $(complaint)"
	sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) [^)]*\[\([a-z0-9]*\)\]).*/\1_\2_\3.deb/p' "$apt/plan" |
		sed 's/:/%3a/g' >"$apt/files"
	install_apt --download-only install "$@" >"$apt/log" 2>&1 ||
		die 125 "the packages could not be fetched: $(complaint)"
}

# In Debian / has no directories of its own for these.
merge_usr() {
	for name in bin sbin lib; do
		mkdir -p "$1/usr/$name" && ln -s "usr/$name" "$1/$name" || return 1
	done
}

# unpack DIR: links that are there stay, so /lib/... comes to lie in /usr/lib.
unpack() {
	while read -r file; do
		dpkg-deb --fsys-tarfile "$apt/cache/archives/$file" |
			tar -x -p --no-same-owner --keep-directory-symlink -C "$1" ||
			return 1
	done <"$apt/files"
}

# default_file FILE: standard input, unless a package has brought one
default_file() {
	if [ -e "$1" ] || [ -L "$1" ]; then cat >/dev/null; else cat >"$1"; fi
}

fill_etc() {
	default_file "$1/passwd" <<-EOF &&
		root:x:0:0:root:/root:/bin/sh
		nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
	EOF
		printf '%s:\n' root:x:0 tty:x:5 nogroup:x:65534 | default_file "$1/group" &&
		printf '%s: files\n' passwd group shadow hosts services | default_file "$1/nsswitch.conf" &&
		echo 127.0.0.1 localhost | default_file "$1/hosts" &&
		echo mmkit | default_file "$1/hostname" &&
		ln -sf ../proc/self/mounts "$1/mtab"
}

# Directories, files and links that a Debian system has from its scripts or essential packages.
furnish() {
	for name in dev etc home mnt proc root run sys tmp var/lib var/log var/tmp; do
		mkdir -p "$1/$name" || return 1
	done
	chmod 1777 "$1/tmp" "$1/var/tmp" && fill_etc "$1/etc" || return 1
	[ -e "$1/bin/busybox" ] || cp "$2/bin/busybox" "$1/bin/busybox" || return 1
	for path in "$2"/bin/*; do
		name=${path##*/}
		[ -e "$1/usr/sbin/$name" ] || [ -e "$1/bin/$name" ] || [ -L "$1/bin/$name" ] ||
			ln -s busybox "$1/bin/$name" || return 1
	done
}

[ $# -ge 4 ] || die 2 "rootfs needs a directory and packages: ./mmkit rootfs DIR PACKAGE..."
apt=$1 tree=$2 dir=$3
shift 3
for word in "$dir" "$@"; do
	case $word in
	-*) die 2 "$word: no such option" ;;
	'') die 2 "rootfs: an empty word is neither a directory nor a package" ;;
	esac
done
for package; do
	case $package in
	*[!a-z0-9+.-]*) die 2 "$package: not the name of a Debian package" ;;
	esac
done
parent=$(dirname "$dir")
if [ -e "$dir" ] || [ -L "$dir" ]; then
	[ -d "$dir" ] || die 2 "$dir: not a directory"
	[ -z "$(ls -A "$dir")" ] || die 2 "$dir: exists and is not empty"
	dir=$(cd "$dir" && pwd -P) && parent=$(dirname "$dir")
fi
[ -d "$parent" ] || die 2 "$parent: no such directory"
[ -w "$parent" ] || die 2 "$parent: cannot be written"

# DIR appears whole or not at all.
new=
trap '[ -z "$new" ] || rm -rf "$new"' EXIT
trap 'exit 130' INT TERM HUP
open_apt
check_names "$@"
say "fetching Debian's $* for arm64 and what they depend on"
fetch "$@"
new=$(mktemp -d "$parent/.rootfs.XXXXXX") && chmod 755 "$new" && merge_usr "$new" && unpack "$new" &&
	furnish "$new" "$tree" && mv -T "$new" "$dir" || die 125 "$dir could not be made"
new=
say "$dir has $(wc -l <"$apt/files") packages: ./mmkit run --root $dir -- PROGRAM"
