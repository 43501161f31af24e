# SPDX-License-Identifier: MIT
# root: python
# long: test_mmap
# CPython's own tests of its mmap module, from Debian's package of them.
#	testmmap.sh TEST
python3 -m test -v "$1" >log 2>&1
echo "status $?"
grep -E '^test_.* \.\.\. ' log | sed 's/ (.*) \.\.\. / /' | sort
