#!/bin/sh
# SPDX-License-Identifier: MIT
# Suite "guest": the reference kernel under real arm64 programs. A boot costs seconds, so the test
# programs of this directory run many to a boot, and the shell's checks share one each.
#	run.sh TOP	prints "ok NAME" and "not ok NAME: WHY"
set -u
TOP=$1
SUITE=guest
. "$TOP/tests/lib.sh"
IMAGE=$TOP/build/arm64/kernel/Image
PROGRAMS="kinds calls fault process code smp events trace timers splice"
PATIENCE=900 # seconds for a boot; a machine under load is slow, a hang is for ever

run() {
	timeout --preserve-status $PATIENCE "$RUN" --kernel "$IMAGE" --tree "$TREE" "$@"
}

# The command of Linux's users, with nothing of ours on it.
plain_qemu() {
	timeout --preserve-status $PATIENCE qemu-system-aarch64 -M virt -m 1G -nographic -kernel "$IMAGE" \
		-append "console=ttyAMA0 quiet" "$@"
}

# suite_lines NAME FILE: the verdicts of the test programs in FILE, and whether all of it came.
suite_lines() {
	tr -d '\r' <"$2" | sed -n "s/^ok /ok $SUITE: $1: /p; s/^not ok /not ok $SUITE: $1: /p"
	if tr -d '\r' <"$2" | grep -qx 'suite ended'; then
		good "$1: ran to its end"
	else
		bad "$1: ran to its end" "$(tail -n 5 "$2" | tr -d '\r' | tr '\n' '|')"
	fi
}

# ---- an initramfs that Linux boots too -------------------------------------------------------

make_initramfs() {
	mkdir -p initramfs/tests
	cp "$GUEST/suite" initramfs/init
	for program in $PROGRAMS; do
		cp "$GUEST/$program" initramfs/tests/
	done
	(cd initramfs && find . | cpio -o -H newc --quiet) >tests.cpio
}

# test_plain_boot CPU NUMBER-OF-CPUS: QEMU's default is a GICv2
test_plain_boot() {
	plain_qemu -cpu "$1" -smp "$2" -initrd tests.cpio >boot.out 2>&1 </dev/null
	same "initramfs, plain QEMU, $2 x $1: QEMU ends" "$?" 0
	suite_lines "initramfs, plain QEMU, $2 x $1" boot.out
}

make_initramfs
test_plain_boot max 1
test_plain_boot cortex-a72 4

# shell_init NAME SCRIPT: an initramfs whose /init is a shell script.
shell_init() {
	rm -rf sh-initramfs
	mkdir -p sh-initramfs/bin
	cp "$TREE/bin/busybox" sh-initramfs/bin/
	ln -s busybox sh-initramfs/bin/sh
	printf '#!/bin/sh\n%s\n' "$2" >sh-initramfs/init
	chmod +x sh-initramfs/init
	(cd sh-initramfs && find . | cpio -o -H newc --quiet) >"$1.cpio"
}

shell_init exit 'echo init says hello; exit 3'
plain_qemu -cpu max -initrd exit.cpio >out 2>&1 </dev/null
same "QEMU ends when PID 1 exits" "$? $(tr -d '\r' <out | grep -cx 'init says hello')" "0 1"

shell_init off 'busybox poweroff -f; sleep 1000'
run --initrd off.cpio >out 2>err </dev/null
same "QEMU ends when PID 1 calls reboot(RB_POWER_OFF)" "$? $(cat err)" "0 "

shell_init words 'echo words: "$@"; read line; echo line: $line'
: >out
# what is typed before the kernel has its serial line is lost, on Linux too
(while ! grep -q words: out; do sleep 0.2; done; echo typed) |
	run --initrd words.cpio --append '-- one two' >out 2>err
same "words for init, and a line on the console" \
	"$(tr -d '\r' <out | grep -x -e 'words: one two' -e 'line: typed' | tr '\n' .)" \
	"words: one two.line: typed."

# ---- programs of the host, its files by 9p ---------------------------------------------------

test_linked() {
	rm -rf linked
	mkdir linked linked/files
	for program in suite $PROGRAMS; do
		cp "$GUEST/$program" linked/
	done
	(cd linked && run --cpu "$1" --smp "$4" -- sh -c \
		"TESTDIR=$2 ./suite $(for p in $PROGRAMS; do printf './%s ' "$p"; done)") \
		>linked.out 2>linked.err </dev/null
	same "$3: exit status" "$? $(head -n 1 linked.err)" "0 "
	suite_lines "$3" linked.out
	same "$3: files are gone" "$(ls linked/files)" ""
}

test_linked cortex-a72 /host/files "files on 9p, cortex-a72" 1
test_linked max /host/files "files on 9p, 4 x max" 4

# ---- several CPUs ----------------------------------------------------------------------------

same "eight CPUs" "$(run --smp 8 -- sh -c \
	'nproc; cat /sys/devices/system/cpu/online; grep -c ^processor /proc/cpuinfo' | tr '\n' ' ')" \
	"8 0-7 8 "
run --smp 4 --append mmkit.asid_bits=8 --report "$GUEST/smp" many_address >out 2>err </dev/null
same "8-bit ASIDs roll over" "$(grep -c '^ok' out) $(grep 'TLBI of all' err | grep -vc ' 0$')" "1 1"
same "all invariants hold at the end" "$(sed -n 's/.*invariants violated *//p' err)" 0
plain_qemu -cpu max -smp 4 -M virt,virtualization=on,gic-version=3 -initrd exit.cpio \
	>out 2>&1 </dev/null
same "four CPUs that start at EL2" "$? $(tr -d '\r' <out | grep -cx 'init says hello')" "0 1"
MMKIT_CONSOLE=$work/overflow.console run --smp 4 --append mmkit.overflow_stack=1 -- sleep 100 >out 2>err </dev/null
same "a kernel stack that overflows is told" \
	"$? $(grep -ac 'panic.*the kernel stack has overflowed' overflow.console) $(grep -ac 'pid.*(overflow)' overflow.console)" \
	"125 1 1"
same "exit while other CPUs compute" "$(run --smp 4 -- sh -c \
	'for i in 1 2 3 4 5; do (while :; do :; done) & done; sleep 1; echo bye')" bye

# race TITLE MEMORY CPUS DIRECTORY SEED: all that touches memory against all that changes it; the kernel's
# invariants hold meanwhile, and every frame is back at the end. The first race is there to fill
# what the kernel keeps.
if [ "${MMKIT_LONG:-0}" = 1 ]; then
	race_seconds=60
else
	race_seconds=5
fi
race() {
	MMKIT_CONSOLE=$work/race.console run --mem "$2" --smp "$3" -- sh -c "
		free() { sync; echo 3 >/proc/sys/vm/drop_caches; awk '/MemFree/ { print \$2 }' /proc/meminfo; }
		export TESTDIR=$4
		./race 1 $5; free >/dev/null; a=\$(free)
		./race $race_seconds $5; echo status \$?
		b=\$(free); [ \$((a - b)) -lt 300 ] && echo all is back; cat /proc/mmkit/check" \
		>race.out 2>&1 </dev/null
	same "race, $1, $3 CPUs, seed $5" \
		"$? $(grep -v '^race: begun\|^race: .* accesses, ' race.out | tr '\n' ' ')$(grep -a 'panic' race.console | head -n 2)" \
		"0 race ended race ended status 0 all is back text ok data ok memory ok "
}
cp "$GUEST/race" .
race "files on 9p" 256M 4 /host 1
race "files on tmpfs" 256M 4 /dev/shm 2
race "files on tmpfs" 256M 1 /dev/shm 3

# ---- killed at any moment --------------------------------------------------------------------

# killed CPUS SEED ROUNDS DIRECTORY: a program that does all of that, by SIGKILL; nothing of it is left.
killed() {
	MMKIT_CONSOLE=$work/killed.console run --mem 256M --smp "$1" -- sh -c "
		export TESTDIR=$4; ./killed $3 $2 ./race 60" >out 2>&1 </dev/null
	same "killed $3 times, $1 CPUs, seed $2" \
		"$? $(sed 's/: [0-9]* kB free.*//' out | tr '\n' ' ')$(grep -a 'panic' killed.console | head -n 2)" \
		"0 killed $3 times, seed $2 "
	rm -f race-*
}

# promise CPUS SEED: QEMU, by SIGKILL; the host's file has what every msync that returned has promised.
cat >qemu-pid <<'END'
#!/bin/sh
echo $$ >qemu.pid
exec qemu-system-aarch64 "$@"
END
chmod +x qemu-pid
promise() {
	rm -f promised qemu.pid
	MMKIT_QEMU=$work/qemu-pid run --smp "$1" --mem 128M -- ./promise make promised "$2" 2>err |
		"$TOP/build/hosted/tests/cli/promise" watch promised "$2" qemu.pid >out 2>&1
	same "QEMU killed after msync, $1 CPUs, seed $2" "$? $(sed 's/: killed after .*//' out) $(cat err)" \
		"0 seed $2 mmkit: QEMU was killed by signal 9"
}

rm -f qemu.pid
MMKIT_QEMU=$work/qemu-pid run -- sh -c \
	'dd if=/bin/busybox of=direct bs=64k count=3 oflag=direct 2>/dev/null; echo; sleep 1000' 2>err | {
	read -r line
	kill -9 "$(cat qemu.pid)"
}
same "QEMU killed after a direct write" \
	"$(head -c 196608 "$TREE/bin/busybox" | cmp - direct && cat err)" "mmkit: QEMU was killed by signal 9"

cp "$GUEST/killed" "$GUEST/promise" "$GUEST/race" .
if [ "${MMKIT_LONG:-0}" = 1 ]; then
	killed 1 1 200 /host
	killed 4 2 200 /host
	killed 4 3 200 /dev/shm
	moments=100
else
	killed 1 1 12 /dev/shm
	killed 4 2 12 /host
	moments=5
fi
for seed in $(seq $moments); do
	promise $((seed % 2 * 3 + 1)) "$seed"
done

# ---- the calls that the README promises ------------------------------------------------------

run -- busybox sh -c 'cat /proc/self/maps; exit 7' >out 2>err </dev/null
same "exit status of sh" "$? $(cat err)" "7 "
same "/proc/self/maps has Linux's format" "$(grep -vcE \
	'^[0-9a-f]{8,}-[0-9a-f]{8,} [r-][w-][x-][sp] [0-9a-f]{8,} [0-9a-f]{2,}:[0-9a-f]{2,} [0-9]+ ' out)" 0
same "/proc/self/maps names program, heap and stack" \
	"$(grep -c -e '/busybox$' out | sed 's/^[1-9]$/some/') $(grep -c '\[heap\]$' out) $(grep -c '\[stack\]$' out)" \
	"some 1 1"
same "sort -rn of a pipe" "$(seq 100000 | run -- busybox sort -rn | head -1)" 100000
head -c 16777216 /dev/urandom >big
same "16 MiB in and out" "$(run -- cat <big | sha256sum)" "$(sha256sum <big)"
run -- sh -c 'echo out; echo err >&2; kill -TERM $$' >out 2>err </dev/null
same "death by a signal" "$? $(cat out err | tr '\n' .)" "143 out.err."
for how in SEGV BUS 6; do
	run "$GUEST/crash" $how >out 2>err </dev/null
	echo $?
done >statuses
same "death by SIGSEGV, SIGBUS, SIGABRT" "$(tr '\n' ' ' <statuses)" "139 135 134 "
run "$GUEST/crash-pie" SEGV >out 2>err </dev/null
same "static PIE" "$?" 139
same "twenty thousand arguments" "$(run -- echo $(seq 20000) 2>&1 </dev/null)" "$(echo $(seq 20000))"
run -- sh -c './nothing; echo $?; : >text; chmod +x text; ./text; echo $?; chmod -x text; ./text; echo $?' \
	>out 2>err </dev/null
same "the guest's own ENOENT, ENOEXEC, EACCES" "$(tr '\n' ' ' <out)" "127 0 126 "

# ---- the host's bytes ------------------------------------------------------------------------

seq -f 'line %08g of a file that is mapped' 1 300 >file
cp file want
printf SHARED | dd of=want bs=1 seek=5000 conv=notrunc 2>/dev/null
size=$(wc -c <want)
printf SHARED | dd of=want bs=1 seek=$((size - 6)) conv=notrunc 2>/dev/null
mkdir root
cp "$GUEST/mapfile" root/
cp file root/file
run "$GUEST/mapfile" file >out 2>err </dev/null
same "shared mapping reaches the host's file, private not" "$? $(cmp file want && echo same)" "0 same"
run --root root /mapfile /file >out 2>err </dev/null
same "the same with --root" "$? $(cmp root/file want && echo same)" "0 same"
mkdir root/tmp root/bin
cp "$TREE/bin/busybox" root/bin/
echo mine >root/tmp/host
run --root root /bin/busybox sh -c 'ls -A /tmp /dev/shm; echo guest >/tmp/guest; echo guest >/dev/shm/guest
	grep -E "^tmpfs (/tmp|/dev/shm) tmpfs rw,nosuid,nodev" /proc/mounts | cut -d" " -f2; stat -c %a /tmp /dev/shm' \
	>out 2>err </dev/null
same "a root's /tmp and /dev/shm are the guest's own memory" \
	"$? $(cat err)$(sort out | tr '\n' ' ') $(cat root/tmp/*) $(ls root/dev 2>/dev/null)" \
	"0  /dev/shm /dev/shm: /tmp /tmp: 1777 1777  mine "

# 16 MiB in files of many sizes, always the same ones
make_tree() {
	mkdir tree tree/a tree/a/b tree/empty
	seq 1 1000000 >tree/numbers
	seq 3000000 5000000 | head -c 9000001 >tree/a/digits
	: >tree/a/nothing
	for i in 1 2 3 4 5 6 7 8 9; do
		head -c $((i * 4096 - i % 3)) tree/numbers >"tree/a/b/part $i"
	done
	head -c 500000 "$TREE/bin/busybox" >tree/binary
	ln -s a/digits tree/link
	cp -a tree tree2
	printf 'x' | dd of=tree2/numbers bs=1 seek=3000000 conv=notrunc 2>/dev/null
}
make_tree
cat >work.sh <<'END'
cd tree || exit 1
find . -type f | sort | xargs -d '\n' sha256sum >../guest.sums 2>/dev/null ||
	find . -type f | sort | while read -r f; do sha256sum "$f"; done >../guest.sums
sort numbers | sha256sum >../guest.sort
gzip -c a/digits | gunzip -c | sha256sum >../guest.gzip
gzip -c numbers >../guest.gz
tar cf - . | sha256sum >/dev/null && tar cf ../guest.tar .
cd ..
diff tree/numbers tree2/numbers >guest.diff
echo "diff $?"
diff -r tree tree >guest.same
echo "diff $?"
mkdir untar && tar xf guest.tar -C untar && diff -r tree untar && echo untarred
cp -r tree copied && diff -r tree copied && echo copied
rm -r copied
END
run sh work.sh >work.out 2>work.err </dev/null
same "16 MiB: statuses" "$? $(tr '\n' ' ' <work.out)$(head -n 3 work.err)" "0 diff 1 diff 0 untarred copied "
(cd tree && find . -type f | LC_ALL=C sort | while read -r f; do sha256sum "$f"; done) >host.sums
same "16 MiB: sha256sum" "$(cmp guest.sums host.sums && echo same)" same
same "16 MiB: sort" "$(cat guest.sort)" "$(LC_ALL=C sort tree/numbers | sha256sum)"
same "16 MiB: gzip and gunzip" "$(cat guest.gzip)" "$(sha256sum <tree/a/digits)"
same "16 MiB: the host unzips" "$(gunzip -c <guest.gz | cmp - tree/numbers && echo same)" same
mkdir host-untar
same "16 MiB: the host untars" \
	"$(tar xf guest.tar -C host-untar && diff -r --no-dereference tree host-untar && echo same)" same
same "16 MiB: the guest's tar -x, seen by the host" \
	"$(diff -r --no-dereference tree untar && echo same)" same
# busybox's diff speaks only the unified format
diff -u --label tree/numbers --label tree2/numbers tree/numbers tree2/numbers >host.diff
same "16 MiB: diff" "$(cat guest.diff)" "$(cat host.diff)"

# ---- options ---------------------------------------------------------------------------------

run --mem 64M -- sh -c 'grep MemTotal /proc/meminfo' >out 2>err </dev/null
same "--mem 64M" "$? $(awk '$2 > 40000 && $2 < 65537 { print "fits" }' out)" "0 fits"
for cpus in 1 4; do
	run --mem 64M --smp $cpus --report -- "$GUEST/lazyfree" >out 2>err </dev/null
	same "--mem 64M --smp $cpus: memory that was given up makes room" \
		"$? $(head -n 1 out) $(sed -n 's/.*invariants violated *//p' err)" \
		"0 ok freed_memory_makes_room_and_what_is_stored_later_stays 0"
done
run --cpu neoverse-n1 -- echo hello >out 2>err </dev/null
same "--cpu neoverse-n1" "$? $(cat out)" "0 hello"
run --report -- sh -c 'echo hello' >out 2>err </dev/null
same "--report" "$? $(cat out) $(grep -ciE 'fault' err | sed 's/^[1-9][0-9]*$/some/')" "0 hello some"
run --icount "$TOP/build/arm64/bench/bench" munmap >out 2>err </dev/null
same "--icount" "$? $(grep -c '^row mmap.*[1-9][0-9]*$' out) $(tail -n 1 out)" "0 8 bench ended"
run --icount "$GUEST/repeat" >out 2>err </dev/null
run --icount "$GUEST/repeat" >out2 2>err2 </dev/null
same "--icount repeats itself" "$(cat out err) $(grep -cx '[1-9][0-9]*' out)" "$(cat out2 err2) 1"

cat >newer-qemu <<'END'
#!/bin/sh
exec qemu-system-aarch64 -global virtio-mmio.force-legacy=false "$@"
END
chmod +x newer-qemu
MMKIT_QEMU=$work/newer-qemu run -- sha256sum big >out 2>err </dev/null
same "virtio-mmio version 2" "$? $(cat out)" "0 $(sha256sum big)"

# ---- little memory ---------------------------------------------------------------------------

cp "$GUEST/frames" .
run --mem 64M -- ./frames map large 256 >out 2>err </dev/null
same "64M: a shared mapping of 256 MiB is in the host's file" \
	"$? $("$TOP/build/hosted/tests/cli/frames" check large 256 && echo right)" "0 right"
rm -f large
run --mem 64M -- sh -c './frames touch 96; echo $?; echo the shell goes on; ./frames touch 20; echo $?; cat /proc/mmkit/check' \
	>out 2>err </dev/null
same "64M: who touches 96 MiB is killed, alone" "$? $(tr '\n' ' ' <out)" \
	"0 137 the shell goes on 0 text ok data ok memory ok "
run --mem 64M -- sh -c './frames forks 10 20; ./frames tables 20000; echo $?
	./frames fill /dev/shm; ./frames both mapped 40 20; echo $?
	free() { sync; echo 3 >/proc/sys/vm/drop_caches; awk "/MemFree/ { print \$2 }" /proc/meminfo; }
	free >/dev/null; a=$(free)
	./frames forks 10 20; ./frames tables 20000; ./frames fill /dev/shm; ./frames both mapped 40 20
	b=$(free); [ $((a - b)) -lt 300 ] && echo all is back; cat /proc/mmkit/check' >out 2>err </dev/null
same "64M: children, page tables, a full tmpfs, a dirty mapping beside private memory" \
	"$? $(tr '\n' ' ' <out)" \
	"0 killed some 137 ENOSPC after much SIGBUS 0 killed some ENOSPC after much SIGBUS all is back text ok data ok memory ok "
run --mem 64M --smp 4 -- sh -c './frames forks 10 20; ./frames both mapped 40 20; echo $?; sleep 1; cat /proc/mmkit/check' \
	>out 2>err </dev/null
same "64M, 4 CPUs: the same" "$? $(tr '\n' ' ' <out)" "0 killed some 0 text ok data ok memory ok "
run --mem 64M --smp 4 -- ./frames unmap 9000 6 >out 2>err </dev/null
same "64M, 4 CPUs: nobody is killed while tables wait for their grace period" "$? $(cat out err)" "0 "
rm -f mapped

# ---- an attacker -----------------------------------------------------------------------------

# attack SEED COUNT CPUS: random calls in a directory of their own; then the next program runs.
attack() {
	mkdir -p attack
	cp "$GUEST/attack" attack/
	(cd attack && MMKIT_CONSOLE=$work/attack.console run --smp "$3" -- sh -c \
		"./attack $1 $2; echo status \$?; sleep 1; cat /proc/mmkit/check; echo alive") >attack.out 2>attack.err </dev/null
	status=$?
	chmod -R u+rwx attack
	rm -rf attack
	same "attack, seed $1, $2 calls, $3 CPUs" \
		"$status $(tail -n 5 attack.out | tr '\n' ' ')$(grep -a 'panic\|running: pid' attack.console | head -n 2)" \
		"0 status 0 text ok data ok memory ok alive "
}
if [ "${MMKIT_LONG:-0}" = 1 ]; then
	for seed in 101 102 103 104 105 106 107 108 109 110; do
		attack $seed 1000000 $((seed % 2 + 1))
	done
else
	attack 1 50000 1
	attack 2 50000 2
fi

# ---- Debian's own programs -------------------------------------------------------------------

# They come from Debian's mirror, so only where there is time for that.
if [ "${MMKIT_LONG:-0}" = 1 ]; then
	"$TOP/mmkit" rootfs nothing no-such-package >out 2>err </dev/null
	same "rootfs: a package that is not there" \
		"$? $(wc -l <err) $(grep -c 'no such package' err) $(ls -d nothing .rootfs.* 2>/dev/null)" "2 1 1 "
	mkdir debian
	"$TOP/mmkit" rootfs debian sqlite3 >out 2>err </dev/null
	same "rootfs: sqlite3, into an empty directory" "$? $(cat out)" "0 "
	run --root debian -- sqlite3 :memory: 'select 1+1' >out 2>err </dev/null
	same "Debian's sqlite3, dynamically linked" "$? $(cat out)" "0 2"
	mkdir tracers
	"$TOP/mmkit" rootfs tracers strace gdb busybox-static >out 2>err </dev/null
	cp "$GUEST/kinds" tracers/
	run --root tracers -- strace -f -o /log sh -c 'echo hi | cat | wc -c' >out 2>err </dev/null
	same "strace -f of a pipeline" \
		"$? $(cat out) $(grep -c 'execve(.*= 0' tracers/log) $(grep -c 'exited with 0' tracers/log)" "0 3 1 4"
	run --root tracers -- gdb -batch -ex 'break write' -ex run -ex 'print $x0' -ex stepi -ex kill \
		/kinds >out 2>err </dev/null
	same "gdb: a breakpoint, registers, a step" "$? $(grep -c '^Breakpoint 1, ' out) $(grep -x '$1 = 1' out)" '0 1 $1 = 1'
	# now all packages are in apt's cache
	"$TOP/mmkit" rootfs debian2 sqlite3 >out 2>err </dev/null
	same "rootfs: the second is like the first" "$? $(diff -r --no-dereference debian debian2)" "0 "
fi

# ---- a terminal ------------------------------------------------------------------------------

# wait_for TEXT: until the terminal shows it.
wait_for() {
	tries=0
	while ! grep -qF -e "$1" tty.out && [ $tries -lt 1200 ]; do
		sleep 0.25
		tries=$((tries + 1))
	done
}
type_keys() {
	wait_for '#'
	printf 'echo $((6 * 7))x; stty size; tty\n'
	wait_for 42x
	printf 'cat\n'
	wait_for "$(printf 'cat\r')"
	printf 'echoed\n'
	wait_for "$(printf 'echoed\r\nechoed')"
	printf '\003'
	wait_for '^C'
	printf 'echo interru""pted\n'
	wait_for interrupted
	printf 'exx\177it 5\n'
	exec sleep 600 # the keyboard stays there until it is taken away
}
: >tty.out
mkfifo keys
printf 'stty rows 33 cols 99\nexec %s\n' "'$RUN' --kernel '$IMAGE' --tree '$TREE' sh" >tty.sh
type_keys >keys &
typist=$!
timeout --preserve-status $PATIENCE script -qefc "sh tty.sh" tty.out <keys >/dev/null 2>&1
same "shell on a terminal: its exit status" "$?" 5
kill $typist
tr -d '\r' <tty.out >tty.text
same "shell on a terminal: size and name" "$(grep -cx -e '33 99' tty.text) $(grep -c '^/dev/' tty.text)" "1 1"
same "shell on a terminal: Ctrl-C interrupts" "$(grep -cx interrupted tty.text)" 1

# ---- the tour --------------------------------------------------------------------------------

run --tour "$TOP/build/arm64/tour/tour" >out 2>err </dev/null
same "the tour" "$? $(grep -c 'NO!' out) $(tail -n 1 out)" "0 0 The tour went as it should."
