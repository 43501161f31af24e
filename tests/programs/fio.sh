# SPDX-License-Identifier: MIT
# root: fio
# long: 16
# fio writes through a shared mapping of a file, in order and at random, and verifies each block by its
# checksum; then once more in a process that only reads.
#	fio.sh MIB
mib=$1

# fio_job NAME OPTION...: how it ended, and what was written and read; no speeds
fio_job() {
	job=$1
	shift
	fio --name="$job" --size="${mib}m" --bs=4k --ioengine=mmap --verify=crc32c --verify_fatal=1 --randseed=42 \
		--output-format=json --output=report "$@" 2>&1
	echo "$job: status $?"
	# of all that is in the report, what was not 0
	sed -n 's/^ *"\(error\|total_err\|io_bytes\|total_ios\)" : \([1-9][0-9]*\),*$/	\1 \2/p' report | sort | uniq -c
}

fio_job order-write --filename=order --rw=write
fio_job order-read --filename=order --rw=read
fio_job random-write --filename=random --rw=randwrite
fio_job random-read --filename=random --rw=randread
fio_job mixed --filename=mixed --rw=randrw
fio_job four-processes --rw=randwrite --numjobs=4
