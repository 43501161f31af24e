# SPDX-License-Identifier: MIT
# root: small
# short: 3000
# long: 100000
# LMDB keeps a B+tree in a file that all processes map, and reads it nowhere else.
#	lmdb.sh KEYS
keys=$1

# records FILE: KEY|VALUE lines of a dump
records() {
	sed -n '/^ key/{N;s/\n/|/;p}' "$1"
}

# A reader's snapshot keeps all that the writer replaces meanwhile: the map has room for five slow ones.
# Keys in no order, values of many lengths, in the format of mdb_dump -p
awk -v keys="$keys" 'BEGIN {
	print "VERSION=3\nformat=print\ntype=btree\nmapsize=1073741824\nmaxreaders=126\nHEADER=END"
	for (i = 0; i < keys; i++) {
		value = "value of " i
		for (j = i % 40; j > 0; j--)
			value = value " " j
		printf " key %08d\n %s\n", i * 7919 % keys, value
	}
	print "DATA=END"
}' >input
records input | LC_ALL=C sort >sorted

echo "-- $keys keys"
mkdir db
mdb_load -f input db
echo "status $?"
mdb_stat -e db | grep -e 'Map size' -e Entries
mdb_dump -p db >dump
echo "status $?"
records dump | cmp - sorted && echo 'dump equals input'

echo '-- five that read while one writes'
sed 's/^ value/ other value/' input >input2
mdb_load -f input2 db &
for reader in 1 2 3 4 5; do
	mdb_dump -p db | grep -c -E '^ (other )?value of [0-9]+( |$)' >reader$reader &
done
wait
cat reader1 reader2 reader3 reader4 reader5
mdb_dump -p db >dump
echo "status $?"
records dump | grep -c '| other value'

echo '-- a copy'
mkdir copy
mdb_copy -c db copy
mdb_dump -p copy | cmp - dump && echo 'copy equals original'
