# SPDX-License-Identifier: MIT
# root: small
# short: 64
# long: 2048
# Python's mmap objects on anonymous memory and files, shared memory between processes, threads.
#	python.sh PAGES
python3 mappings.py "$1"
