# SPDX-License-Identifier: MIT
# Debian's own programs on mmkit and on Linux: sourced with $TOP and $work set, by the suites programs and
# stress and by the oracle. A case is a script NAME.sh for the guest, whose head says what root it wants and how much
# it does in the short and in the long form; then NAME.host, if there is one, looks at the files from
# the host. What the two print is the case's output.
CASES=$TOP/tests/programs
ROOTS=$TOP/build/programs
MEMORY=512M
PATIENCE=${MMKIT_PATIENCE:-3600} # seconds for a boot; a machine under load is slow, a hang is for ever
LINUX_PATIENCE=${MMKIT_LINUX_PATIENCE:-1800} # the same for Linux, whose files on 9p can be very slow

say() {
	echo "mmkit: $*" >&2
}

# The packages of a root.
root_packages() {
	case $1 in
	small) echo sqlite3 lmdb-utils python3 ;;
	python) echo python3 "lib$(readlink "$ROOTS/small/usr/bin/python3")-testsuite" ;;
	fio) echo fio ;;
	gcc) echo gcc libc6-dev ;;
	stress) echo stress-ng ;;
	esac
}

# cases short|long: those that have such a form
cases() {
	grep -l "^# $1: " "$CASES"/*.sh | sed 's,.*/,,; s,\.sh$,,'
}

# field CASE NAME
field() {
	sed -n "s/^# $2: //p" "$CASES/$1.sh"
}

# The root is kept from run to run; it is made anew when its packages or its maker have changed.
make_root() {
	# the name of the package of Python's tests has Python's release in it
	[ "$1" != python ] || make_root small || return 1
	{
		root_packages "$1"
		cat "$TOP/tools/rootfs.sh"
	} >"$work/recipe"
	mkdir -p "$ROOTS" && exec 7>"$ROOTS/.lock" && flock 7 || return 1
	if ! cmp -s "$work/recipe" "$ROOTS/$1.made"; then
		rm -rf "${ROOTS:?}/$1" "$ROOTS/$1.made"
		"$TOP/mmkit" rootfs "$ROOTS/$1" $(root_packages "$1") 7>&- && cp "$work/recipe" "$ROOTS/$1.made"
	fi
	root_status=$?
	exec 7>&-
	return $root_status
}

# What is left of a run in the roots.
clean_roots() {
	rm -rf "$ROOTS"/*/home/case.$$.*
}

# new_home CASE: a directory in the case's root, empty but for the scripts; its name there is in $home.
new_home() {
	root=$ROOTS/$(field "$1" root)
	home=/home/case.$$.$1
	rm -rf "$root$home"
	mkdir -p "$root$home" && cp "$CASES"/*.[ps][yh] "$root$home/"
}

on_mmkit() {
	MMKIT_CONSOLE=$work/console timeout --preserve-status $PATIENCE "$TOP/build/hosted/tools/mmkit-run" \
		--kernel "$TOP/build/arm64/kernel/Image" --tree "$TOP/build/root" --root "$root" --mem $MEMORY --smp "$1" \
		--report -- sh -c "cd $home && exec sh $2.sh $3" >"$work/raw" 2>"$work/both" </dev/null
	mmkit_status=$?
	sed '/^mappings$/,$d' "$work/both" >"$work/err"
	[ "$(sed -n 's/^ *invariants violated *//p' "$work/both")" = 0 ] || {
		echo 'the report does not say that all invariants hold' >>"$work/err"
		return 125
	}
	return $mmkit_status
}

# ---- Linux -----------------------------------------------------------------------------------

NOT_ENDED=124 # timeout's word for it

# An initramfs with the modules of a 9p root. What happens there goes to files, as the console is the kernel's too.
linux_initramfs() {
	rm -rf "$work/initramfs"
	mkdir -p "$work/initramfs/bin" "$work/initramfs/proc" "$work/initramfs/dev" "$work/initramfs/root" &&
		cp "$TOP/build/root/bin/busybox" "$work/initramfs/bin/busybox" &&
		cp -r "${image%/*}/modules" "$work/initramfs/" && cp "$TOP/tests/programs/linux-init" "$work/initramfs/init" &&
		chmod +x "$work/initramfs/init" &&
		(cd "$work/initramfs" && find . | cpio -o -H newc --quiet) >"$work/linux.cpio"
}

on_linux() {
	image=$(sh "$TOP/tools/linux-kernel.sh" "$TOP/build/linux") && linux_initramfs || return 125
	echo "sh $2.sh $3" >"$root$home/command"
	timeout $LINUX_PATIENCE "${MMKIT_QEMU:-qemu-system-aarch64}" -M virt,gic-version=3 -cpu cortex-a72 -m $MEMORY -smp "$1" \
		-nographic -nic none -no-reboot -device virtio-rng-device \
		-fsdev "local,id=root,path=$root,security_model=none,multidevs=remap" \
		-device virtio-9p-device,fsdev=root,mount_tag=root \
		-kernel "$image" -initrd "$work/linux.cpio" \
		-append "console=ttyAMA0 quiet panic=-1 -- $home" >"$work/console" 2>&1 </dev/null
	[ $? != 124 ] || return $NOT_ENDED
	mv "$root$home/out" "$work/raw" && mv "$root$home/err" "$work/err" && return "$(cat "$root$home/status")"
	tail -n 3 "$work/console" >"$work/err"
	return 125
}

# ---- one run ---------------------------------------------------------------------------------

# run_case mmkit|linux CPUS CASE SIZE: its output goes to $work/out, how many seconds it took to $seconds.
run_case() {
	make_root "$(field "$3" root)" && new_home "$3" || return 125
	seconds=$(date +%s)
	"on_$1" "$2" "$3" "$4"
	case_status=$?
	seconds=$(($(date +%s) - seconds))
	{
		cat "$work/raw"
		[ ! -e "$CASES/$3.host" ] || (cd "$root$home" && sh "$CASES/$3.host" 2>&1)
		[ $case_status = 0 ] || echo "status $case_status: $(tail -n 3 "$work/err" | tr '\n' '|')"
	} >"$work/out"
	rm -rf "$root$home"
	return $case_status
}

# The calls that programs asked mmkit for in the last run, and that it does not have.
missing_calls() {
	sed -n 's/.*pid [0-9]* (\(.*\)): system call [0-9]* (\(.*\)) is not there.*/\2 (\1)/p' "$work/console"
}

# tell_missing FILE: of such lines, each once
tell_missing() {
	sort -u "$1" | sed 's/^/mmkit: asked for and not there: /' >&2
}

# ---- what is shown ---------------------------------------------------------------------------

cpus() {
	case $1 in
	1) echo '1 CPU' ;;
	*) echo "$1 CPUs" ;;
	esac
}

# place mmkit|linux CPUS: in words
place() {
	[ "$1" = mmkit ] || printf 'Linux, '
	cpus "$2"
}

# print_table FILE WORD: lines "ROW|PLACE|TEXT" as a table that can be pasted into a document; WORD stands above the rows
print_table() {
	echo "| $2 | Linux, 1 CPU | Linux, 4 CPUs | mmkit, 1 CPU | mmkit, 4 CPUs |" >&2
	echo '|---|--:|--:|--:|--:|' >&2
	awk -F'|' '!($1 in seen) { seen[$1] = 1; rows[++n] = $1 }
		{ cell[$1, $2] = $3 }
		END {
			for (i = 1; i <= n; i++)
				printf "| %s | %s | %s | %s | %s |\n", rows[i], cell[rows[i], "Linux, 1 CPU"], \
					cell[rows[i], "Linux, 4 CPUs"], cell[rows[i], "1 CPU"], cell[rows[i], "4 CPUs"]
		}' "$1" >&2
}
