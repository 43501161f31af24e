#!/bin/sh
# SPDX-License-Identifier: MIT
# For the guest: stress-ng's stressors of memory, one after the other; then all at once.
#	each.sh WORKERS ops|SECONDS [NAME...]
# With "ops" each ends when it has done its operations, whatever time that takes; else after so many seconds. Prints
# for each "NAME STATUS OPERATIONS SECONDS COMPLAINTS", where a complaint's spaces are underscores. The NAME "together"
# stands for all of them.
# root: stress
workers=$1 form=$2
shift 2

# NAME OPERATIONS OPTION...: operations (of its own making, each of another size) for half a second; none: the
# stressor knows no such end, and gets two seconds. The options keep each small, so that all run beside each other.
table() {
	cat <<-'END'
		mmap 2 --mmap-bytes 8M --mmap-mprotect
		mmapaddr 1000
		mmapfixed 2
		mmapfork 1
		mmapmany 10000
		mremap 4 --mremap-bytes 4M
		munmap 1000
		mprotect 10000
		madvise 1
		msync 200 --msync-bytes 1M
		mincore 50
		mlock 1000
		brk 10000
		stack 1
		bigheap 1500 --pathological
		vm 1000 --vm-bytes 8M
		vm-rw 10 --vm-rw-bytes 8M
		vm-segv 4
		vm-addr 2
		fault 200
		fork 100
		vfork 500
		malloc 2000 --malloc-bytes 64K --malloc-max 64
		memfd 2 --memfd-bytes 8M
		shm 4 --shm-bytes 4M
		shm-sysv 20 --shm-sysv-bytes 4M
		sigsegv 5000
		userfaultfd 500
		zero 100
		remap 2
		stackmmap 60
		mlockmany - --pathological
		memthrash 4 --pathological
		resources 4 --pathological
	END
}

# The resources stressor sends SIGALRM to numbers that it finds in memory it has from malloc and has never
# written. Filled like this they are nobody's.
fill_malloc() {
	case $1 in
	resources | together) echo 170 ;;
	*) echo 0 ;;
	esac
}

# limits NAME OPERATIONS: how it ends
limits() {
	case $form:$2 in
	ops:-) echo "-t 2" ;;
	ops:*) echo "-t 3600 --$1-ops $2" ;;
	*) echo "-t $form" ;;
	esac
}

now() {
	cut -d' ' -f1 /proc/uptime
}

# What it did not like, in one word.
complaints() {
	grep -E 'fail|error|unsuccessful|skipp|WARN|corrupt|premature' /tmp/said | grep -v ' (0 failed' | head -n 9 |
		sed 's/^[^]]*\] *//' | tr ' \n' '_|'
}

# measured NAME OPTION...: runs stress-ng and prints the line.
measured() {
	name=$1
	shift
	began=$(now)
	MALLOC_PERTURB_=$(fill_malloc "$name") stress-ng "$@" --verify --metrics >/tmp/said 2>&1
	status=$?
	done=$(awk '$2 == "metrc:" && $5 ~ /^[0-9]+$/ { sum += $5 } END { print sum + 0 }' /tmp/said)
	echo "$name $status $done $(echo "$began $(now)" | awk '{ printf "%.1f", $2 - $1 }') $(complaints)"
}

together() {
	words=
	while read -r name ops options; do
		words="$words --$name $workers $options"
	done <<-END
		$(table)
	END
	case $form in
	ops) measured together $words -t 10 ;;
	*) measured together $words -t "$form" ;;
	esac
}

cd /tmp || exit 1
table | while read -r name ops options; do
	case " ${*:-$name} " in
	*" $name "*) measured "$name" "--$name" "$workers" $options $(limits "$name" "$ops") ;;
	esac
done
case " ${*:-together} " in
*' together '*) together ;;
esac
