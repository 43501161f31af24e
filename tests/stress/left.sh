#!/bin/sh
# SPDX-License-Identifier: MIT
# For the guest: a machine left under load for so many seconds. Prints "status N" of the load and what it complained
# of, where the ledger of the frames did not add up, meanwhile too, what is not there again at the end, and what
# /proc/mmkit/check says.
#	left.sh SECONDS
# root: stress
cd /tmp || exit 1
seconds=$1

load() {
	stress-ng --vm 2 --vm-bytes 24M --mmap 2 --mmap-bytes 24M --fork 2 --timeout "$1" --verify --metrics >said 2>&1
	echo "status $?"
	grep -E 'fail|error|unsuccessful|skipp|corrupt' said | grep -v ' (0 failed'
}

# What the cache holds for files goes first, and what is on its way out is waited for.
ledger() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	sleep 1
	cat /proc/mmkit/frames >"$1"
}

adds_up() {
	awk '$1 == "total" { total = $2; summing = 1; next }
		$1 ~ /^of_them/ { summing = 0 }
		summing { sum += $2 }
		END { if (sum != total || !total) print FILENAME ": " sum " of " total " frames" }' "$1"
	grep -E '^(unmapped_anonymous|detached_page_cache)' "$1" | grep -v ' 0$'
}

# While the programs run: no figure but the sum can be relied on, and it can at any moment.
watch() {
	while sleep 1; do
		cat /proc/mmkit/frames >now
		adds_up now | grep ' of '
	done
}

# All that the shell itself needs is in memory once this has been done twice.
round() {
	watch &
	watcher=$!
	load "$1" >report
	kill $watcher
	wait $watcher 2>/dev/null
	ledger "$2"
}

for file in before after now; do cat /proc/mmkit/frames >$file; done
round 1 before
round 1 before
round "$seconds" after
cat report
adds_up before
adds_up after
# objects that stay are not packed as before; a page lost with each process or mapping would be hundreds
paste before after | awk '$2 - $4 > 16 || $4 - $2 > 16 { print $1 " before " $2 ", after " $4 }'
cat /proc/mmkit/check
