# SPDX-License-Identifier: MIT
# root: small
# short: 2000
# long: 100000
# SQLite reads its database through a shared mapping of the file, grows it under that mapping, and with
# a write-ahead log keeps the index of the log in a file that all processes map and write to.
#	sqlite.sh ROWS
rows=$1
figures='SELECT count(*), sum(value), sum(length(body)), min(key), max(key) FROM item;'
create='CREATE TABLE item(id INTEGER PRIMARY KEY, key TEXT, value INTEGER, body TEXT);'

echo "-- $rows rows"
sqlite3 plain.db <<END
PRAGMA mmap_size=268435456;
$create
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $rows)
INSERT INTO item SELECT i, printf('key %08d', i * 7919 % $rows), i * i % 10007, printf('%.*c', i % 90, 'x') FROM n;
CREATE INDEX item_key ON item(key);
UPDATE item SET value = value + 1, body = body || 'changed' WHERE id % 3 = 0;
DELETE FROM item WHERE id % 10 = 7;
$figures
PRAGMA integrity_check;
END

echo '-- opened again'
sqlite3 plain.db <<END
PRAGMA mmap_size=268435456;
SELECT count(*) FROM item WHERE key BETWEEN 'key 00000100' AND 'key 00000999';
$figures
VACUUM;
PRAGMA integrity_check;
$figures
END

# writer FILE NUMBER: a transaction for every hundredth part of its half of the rows
writer() {
	awk -v rows="$rows" -v me="$2" 'BEGIN {
		print ".timeout 600000\nPRAGMA mmap_size=268435456;"
		part = rows / 200
		for (t = 0; t < 100; t++) {
			print "BEGIN IMMEDIATE;"
			printf "WITH RECURSIVE n(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM n WHERE i < %d)\n", \
				t * part, (t + 1) * part - 1
			printf "INSERT INTO item SELECT i * 2 + %d, %s, i %% 1009, %s FROM n;\n", me, \
				"printf(\x27key %08d\x27, i)", "printf(\x27%.*c\x27, i % 70, \x27y\x27)"
			print "UPDATE item SET value = value + 1 WHERE id = " me ";"
			print "COMMIT;"
		}
	}' | sqlite3 "$1" >"$1.writer$2" 2>&1
	echo "status $?" >>"$1.writer$2"
}

# reader FILE: looks on while they write; what it sees is never half a transaction.
reader() {
	part=$((rows / 200))
	for turn in 1 2 3 4 5 6 7 8 9 10; do
		echo ".timeout 600000
			PRAGMA mmap_size=268435456;
			SELECT count(*) % $part FROM item;"
	done | sqlite3 "$1" | sort | uniq -c | sed 's/^ *//' >"$1.reader"
}

for mode in DELETE WAL; do
	file=$mode.db
	echo "-- two that write and one that reads at once, $mode"
	sqlite3 $file "PRAGMA journal_mode=$mode; $create CREATE INDEX item_key ON item(key);"
	writer $file 0 &
	writer $file 1 &
	reader $file &
	wait
	sort $file.writer0 | uniq -c | sed 's/^ *//'
	sort $file.writer1 | uniq -c | sed 's/^ *//'
	cat $file.reader
	sqlite3 $file "PRAGMA mmap_size=268435456; $figures PRAGMA integrity_check; SELECT value FROM item WHERE id < 2;"
	ls $file-* 2>/dev/null || :
done
