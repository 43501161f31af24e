#!/bin/sh
# SPDX-License-Identifier: MIT
# Suite "cli": what ./mmkit says to wrong calls, and how the launcher carries bytes and statuses.
# The second half runs against a stand-in for QEMU (fakeguest.c), so it needs no guest kernel.
#	run.sh TOP	prints "ok NAME" and "not ok NAME: WHY"
set -u
TOP=$1
SUITE=cli
. "$TOP/tests/lib.sh"
FAKE=$TOP/build/hosted/tests/cli/fakeguest
ARM=$GUEST/kinds # some arm64 program

# refused NAME STATUS WORDS COMMAND...: ends with STATUS, one line on standard error that has WORDS,
# nothing on standard output.
refused() {
	name=$1 want=$2 words=$3
	shift 3
	"$@" >out 2>err </dev/null
	status=$?
	if [ $status != "$want" ]; then
		bad "$name" "exit status $status, not $want ($(head -n 1 err))"
	elif [ -s out ]; then
		bad "$name" "wrote on standard output: $(head -n 1 out)"
	elif [ "$(wc -l <err)" != 1 ]; then
		bad "$name" "$(wc -l <err) lines on standard error, not one"
	elif ! grep -q -e "$words" err; then
		bad "$name" "says \"$(cat err)\", without \"$words\""
	else
		good "$name"
	fi
}

# gives NAME STATUS OUTPUT COMMAND...: ends with STATUS and prints OUTPUT, byte for byte.
gives() {
	name=$1 want=$2 text=$3
	shift 3
	"$@" >out 2>err </dev/null
	status=$?
	if [ $status != "$want" ]; then
		bad "$name" "exit status $status, not $want ($(head -n 1 err))"
	elif [ "$(cat out; echo .)" != "$(printf %b "$text"; echo .)" ]; then
		bad "$name" "printed \"$(head -c 100 out)\""
	else
		good "$name"
	fi
}

mmkit() {
	"$TOP/mmkit" "$@"
}

# ---- wrong calls -----------------------------------------------------------------------------

head -c 100 "$ARM" >"./cut"
cp "$ARM" cut-later && truncate -s 5000 cut-later
printf '\177ELF' >four-bytes
cp "$ARM" not-executable
cp "$ARM" x86 && printf '\076' | dd of=x86 bs=1 seek=18 conv=notrunc 2>/dev/null
cp "$ARM" shared && printf '\0\0\0\0\0\0\0\0' | dd of=shared bs=1 seek=24 conv=notrunc 2>/dev/null
printf '\001' | dd of=object bs=1 2>/dev/null
cp "$ARM" object && printf '\001' | dd of=object bs=1 seek=16 conv=notrunc 2>/dev/null
echo 'hello' >text
: >empty
printf '#!/no/such/interpreter\n' >script
printf '#!\n' >script-bare
ln -s nowhere dangling
ln -s loop loop
mkdir dir
chmod +x cut cut-later four-bytes x86 shared object text empty script script-bare
chmod -x not-executable

refused "unknown verb" 2 "no such verb" mmkit frobnicate
refused "oracle: no such family" 2 "no such family" mmkit oracle nonsense
refused "oracle: no such option" 2 "no such option" mmkit oracle --nonsense
refused "an option that bench has not" 2 "no such option" mmkit bench --frequency
refused "figures that are not there" 2 "no such file" mmkit bench --against /nonexistent
refused "--trace is not there yet" 2 "not there yet" mmkit run --trace f ls
refused "build takes no words" 2 "takes no words" mmkit build x
refused "unknown suite" 2 "no such suite" mmkit test nosuch
refused "missing program" 2 "No such file" mmkit run ./missing
refused "missing program below a file" 2 "Not a directory" mmkit run ./text/x
refused "program name that is not there" 2 "no such program" mmkit run nosuchprogram
refused "program name of a file here" 2 "write ./text" mmkit run text
refused "empty program name" 2 "empty" mmkit run ''
refused "x86-64 program" 2 "x86-64" mmkit run ./x86
refused "the host's own program" 2 "$(uname -m | tr _ -)" mmkit run "$RUN"
refused "100 bytes of a program" 2 "cut off" mmkit run ./cut
refused "program cut off in a segment" 2 "cut off" mmkit run ./cut-later
refused "four bytes of a program" 2 "cut off" mmkit run ./four-bytes
refused "shared library" 2 "shared library" mmkit run ./shared
refused "object file" 2 "object file" mmkit run ./object
refused "text" 2 "neither" mmkit run ./text
refused "empty file" 2 "empty" mmkit run ./empty
refused "directory" 2 "directory" mmkit run ./dir
refused "directory with a slash" 2 "directory" mmkit run /
refused "dangling link" 2 "No such file" mmkit run ./dangling
refused "link to itself" 2 "symbolic links" mmkit run ./loop
refused "not executable" 2 "chmod" mmkit run ./not-executable
refused "script without its interpreter" 2 "/no/such/interpreter" mmkit run ./script
refused "script that names none" 2 "names no interpreter" mmkit run ./script-bare
refused "--mem 1M" 2 "at least" mmkit run --mem 1M ls
refused "--mem 0" 2 "at least" mmkit run --mem 0 ls
refused "--mem nonsense" 2 "not a size" mmkit run --mem lots ls
refused "--mem with a tail" 2 "not a size" mmkit run --mem 512MB ls
refused "--mem negative" 2 "not a size" mmkit run --mem -5 ls
refused "--mem huge" 2 "at most" mmkit run --mem 999999G ls
refused "--mem wraps" 2 "not a size\|too much" mmkit run --mem 99999999999999999999G ls
refused "--mem empty" 2 "not a size" mmkit run --mem '' ls
refused "--mem without a value" 2 "needs a value" mmkit run --mem
refused "--root missing" 2 "No such file" mmkit run --root ./missing ls
refused "--root a file" 2 "not a directory" mmkit run --root ./text ls
refused "--smp 0" 2 "1 to 8" mmkit run --smp 0 ls
refused "--smp 9" 2 "1 to 8" mmkit run --smp 9 ls
refused "--smp 2x" 2 "1 to 8" mmkit run --smp 2x ls
refused "--cpu unknown" 2 "unknown CPU" mmkit run --cpu z80 ls
refused "--initrd missing" 2 "No such file" mmkit run --initrd ./missing
refused "--initrd a directory" 2 "not a file" mmkit run --initrd ./dir
refused "--initrd and a program" 2 "no PROGRAM" mmkit run --initrd ./text ls
refused "--initrd and --root" 2 "exclude" mmkit run --initrd ./text --root .
refused "unknown option" 2 "no such option" mmkit run --frobnicate ls
refused "unknown short option" 2 "no such option" mmkit run -x ls
refused "option with an unwanted value" 2 "no value" mmkit run --icount=3 ls

echo kept >dir/file
refused "rootfs without words" 2 "needs a directory and packages" mmkit rootfs
refused "rootfs without a package" 2 "needs a directory and packages" mmkit rootfs new
refused "rootfs: a directory that is not empty" 2 "not empty" mmkit rootfs dir sqlite3
refused "rootfs: a file" 2 "not a directory" mmkit rootfs text sqlite3
refused "rootfs: a dangling link" 2 "not a directory" mmkit rootfs dangling sqlite3
refused "rootfs: below a directory that is missing" 2 "no such directory" mmkit rootfs no/new sqlite3
refused "rootfs: no options" 2 "no such option" mmkit rootfs new --root
refused "rootfs: no patterns" 2 "not the name" mmkit rootfs new 'sqlite*'
refused "rootfs: an empty name" 2 "empty" mmkit rootfs new ''

# An apt whose mirror does not answer, with a state of its own.
mkdir silent
cat >silent/apt-get <<'END'
#!/bin/sh
[ "$1" = indextargets ] && echo 'Packages|Debian|http://127.0.0.1:9/|bookworm' && exit
exec /usr/bin/apt-get -o Acquire::Retries=0 "$@"
END
chmod +x silent/apt-get
refused "rootfs: a mirror that does not answer" 125 "no list of packages" \
	env PATH="$PWD/silent:$PATH" sh "$TOP/tools/rootfs.sh" state "$TREE" new sqlite3
same "rootfs leaves nothing behind, and what was there" \
	"$(ls -d new .rootfs.* 2>/dev/null)$(cat dir/file)" kept
rm dir/file

mmkit help >out 2>err
same "help" "$? $(grep -c 'usage' out) $(wc -c <err)" "0 1 0"

# ---- the README ------------------------------------------------------------------------------

sed -n '/^```c$/,/^```$/p' "$TOP/README.md" | sed '1d;$d' >readme.c
same "the README's example is examples/embed.c" \
	"$(cmp "$TOP/examples/embed.c" readme.c && echo same)" same

# ---- the launcher, with a stand-in for the machine -------------------------------------------

MMKIT_QEMU=$FAKE
export MMKIT_QEMU
launch() {
	"$RUN" --kernel Image --tree "$TREE" "$@"
}
fake() {
	FAKEGUEST=$1
	export FAKEGUEST
	shift
	"$@"
	fake_status=$?
	unset FAKEGUEST
	return $fake_status
}

gives "output and status" 7 'hello\n' launch sh -c 'echo hello; exit 7'
gives "program killed by a signal" 137 '' launch sh -c 'kill -9 $$'
gives "words of the program are its own" 0 '--mem -- x y\n' launch -- echo --mem -- 'x y'
launch sh -c 'echo out; echo err >&2' >out 2>err </dev/null
same "standard error apart" "$(cat out) $(cat err)" "out err"
same "standard input" "$(printf 'b\na\n' | launch sort | tr '\n' .)" "a.b."
same "end of standard input" "$(launch cat </dev/null; echo $?)" "0"
launch true <&- >out 2>err
same "standard input closed" "$?" "0"
launch true >&- 2>err </dev/null
same "standard output closed" "$?" "0"

head -c 16777216 /dev/urandom >big
sum=$(sha256sum <big)
same "16 MiB in and out" "$(launch cat <big | sha256sum)" "$sum"
same "16 MiB to a slow reader" "$(launch cat <big | (sleep 1 && sha256sum))" "$sum"
same "16 MiB from a slow writer" "$( (head -c 9000000 big && sleep 1 && tail -c +9000001 big) |
	launch cat | sha256sum)" "$sum"
launch cat <big >big.out
same "16 MiB to a file" "$(sha256sum <big.out)" "$sum"
same "program that does not read" "$(launch true <big; echo $?)" "0"

# A shell pipeline knows only its last status, so the first one's goes to a file.
same "reader that has enough" \
	"$( (launch yes; echo $? >status) 2>err | head -n 1; while [ ! -s status ]; do sleep 0.1; done
	    cat status err | tr '\n' ' ')" "y
141 "
launch cat <big >/dev/full 2>err
same "full disk" "$? $(grep -c 'No space left' err)" "1 1"
launch sh -c 'echo e >&2; exit 3' 2>/dev/full </dev/null
same "standard error that is full" "$?" "3"

# ---- where a program is found ----------------------------------------------------------------

# placed NAME PATH CALL...: the guest is told to run PATH.
placed() {
	name=$1 want=$2
	shift 2
	same "$name" "$(fake config launch "$@" 2>&1 </dev/null | sed -n 's/^p//p')" "$want"
}
mkdir -p here/sub root/bin root/usr/bin root/opt root/tmp
cp "$ARM" root/tmp/prog5
cp "$ARM" here/prog && cp "$ARM" here/sub/prog2 && cp "$ARM" outside
cp "$ARM" root/opt/prog3 && ln -s /opt/prog3 root/usr/bin/prog4
cp "$TREE/bin/busybox" root/bin/busybox
ln -s "$work/outside" here/link-out
ln -s sub/prog2 here/link-in
cd here || exit 1
placed "program here" /host/prog ./prog
placed "program below" /host/sub/prog2 sub/prog2
placed "program by its full path" /host/prog "$work/here/prog"
placed "program elsewhere" /.mmkit-prog/outside ../outside
placed "link to a program below" /host/sub/prog2 ./link-in
placed "link to a program elsewhere" /.mmkit-prog/outside ./link-out
placed "program by name" /bin/ls ls
placed "program in --root by name, through an absolute link" /usr/bin/prog4 --root ../root prog4
placed "program in --root by its path there" /opt/prog3 --root ../root /opt/prog3
placed "program of the host in --root" /opt/prog3 --root ../root ../root/opt/prog3
placed "program of --root below a mount of the guest's" /.mmkit-prog/prog5 --root ../root /tmp/prog5
placed "the same by the host's name" /.mmkit-prog/prog5 --root ../root ../root/tmp/prog5
placed "program of the host outside --root" /.mmkit-prog/prog --root ../root ./prog
placed "tool that --root lacks" /.mmkit-tools/bin/sort --root ../root sort
same "configuration" "$(fake config launch --report ./prog a '' 'b c' 2>&1 </dev/null |
	grep -v '^v' | tr '\n' '|')" "p/host/prog|a./prog|aa|a|ab c|d/host|t|r|mcwd=/host|"
same "configuration with --root" "$(fake config launch --root ../root ./prog 2>&1 </dev/null |
	grep -v '^v' | tr '\n' '|')" "p/.mmkit-prog/prog|a./prog|d/|t|mprog=/.mmkit-prog|"
cd "$work" || exit 1

# fails NAME STATUS WORDS COMMAND...: ends with STATUS, and standard error has WORDS somewhere.
fails() {
	name=$1 want=$2 words=$3
	shift 3
	"$@" >out 2>err </dev/null
	status=$?
	if [ $status != "$want" ] || ! grep -q -e "$words" err; then
		bad "$name" "exit status $status, says \"$(head -n 1 err)\""
	else
		good "$name"
	fi
}
fails "kernel panic" 125 "Kernel panic - not syncing: test" fake panic launch true
fails "QEMU that dies" 125 "line one" fake die launch true
fails "guest that talks nonsense" 125 "no frame" fake junk launch true
fails "guest that cannot start the program" 127 "prog: Exec format error" fake refuse launch true
MMKIT_QEMU=$work/nothing
fails "QEMU that is not installed" 125 "setup" launch true
MMKIT_QEMU=$FAKE

# signalled NAME SIGNAL STATUS: a hanging machine, and the launcher gets SIGNAL.
signalled() {
	(
		FAKEGUEST=hang
		export FAKEGUEST
		exec timeout --preserve-status -s "$2" 1 \
			"$RUN" --kernel Image --tree "$TREE" sleep 1000
	) </dev/null >out 2>err
	same "$1" "$?" "$3"
}
signalled "interrupted" INT 130
signalled "terminated" TERM 143
signalled "hung up" HUP 129

# ---- on a terminal ---------------------------------------------------------------------------

# on_terminal WORDS: a shell on a terminal of its own runs WORDS.
on_terminal() {
	printf '%s\n' "RUN='$RUN --kernel Image --tree $TREE'" "$1" >tty.sh
	script -qec "sh tty.sh" /dev/null </dev/null >tty.out 2>&1
}
on_terminal 'stty -a >before; $RUN true; stty -a >after'
same "the terminal is put back" "$(cmp before after && echo same)" same
on_terminal 'stty -a >before; FAKEGUEST=hang timeout --foreground -s TERM 1 $RUN true; stty -a >after'
same "the terminal is put back after SIGTERM" "$(cmp before after && echo same)" same
on_terminal 'stty -a >before; FAKEGUEST=panic $RUN true; stty -a >after'
same "the terminal is put back after a panic" "$(cmp before after && echo same)" same
on_terminal '(sleep 0.5; stty -a </dev/tty >during) & FAKEGUEST=hang timeout --foreground -s TERM 1 $RUN true'
same "the terminal is raw meanwhile" "$(grep -c -e '-icanon' during) $(grep -c -e '-isig' during)" "1 1"
on_terminal 'stty rows 33 cols 99; FAKEGUEST=config $RUN true'
same "the guest is told of the terminals" "$(tr -d '\r' <tty.out | grep '^t')" "t012"
