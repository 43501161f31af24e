# SPDX-License-Identifier: MIT
# root: gcc
# long: 600
# Debian's compiler, which keeps its memory in mappings, compiles and links, and the result runs.
#	gcc.sh FUNCTIONS
cat >hello.c <<'END'
#include <stdio.h>
int main(void)
{
	return printf("hello, world\n") != 13;
}
END
gcc -O2 -Wall -o hello hello.c
echo "status $?"
./hello
echo "status $?"
gcc -O2 -static -o hello-static hello.c && ./hello-static
echo "status $?"

# A larger one, in two parts, compiled at once
part() {
	awk -v functions="$1" -v name="$2" 'BEGIN {
		for (i = 0; i < functions; i++)
			printf "unsigned %s%d(unsigned x) { for (unsigned j = 0; j < x %% 7; j++) x = x * %du + j; return x; }\n", \
				name, i, 2 * i + 3
		printf "unsigned %s(unsigned x)\n{\n", name
		for (i = 0; i < functions; i++)
			printf "\tx = x * 5 + %s%d(x) + 1;\n", name, i
		print "\treturn x;\n}"
	}' >"$2.c"
	gcc -O1 -c "$2.c"
	echo "$2: status $?" >"$2.status"
}
part $(($1 / 2)) left &
part $(($1 / 2)) right &
wait
cat left.status right.status
cat >main.c <<'END'
#include <stdio.h>
unsigned left(unsigned), right(unsigned);
int main(void)
{
	printf("%u\n", left(1) + right(2));
	return 0;
}
END
gcc -o both main.c left.o right.o && ./both
echo "status $?"
