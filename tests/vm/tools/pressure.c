// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* pressure MIB PASSES: fills so much memory with numbers, and reads it back so many times. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE	4096u

static uint64_t value(uint64_t page, uint64_t pass)
{
	uint64_t x = (page + 1) * 0x9e3779b97f4a7c15u + pass * 0xbf58476d1ce4e5b9u;

	return x ^ x >> 29;
}

int main(int argc, char **argv)
{
	uint64_t pages = argc > 2 ? strtoull(argv[1], NULL, 10) * 256 : 0, passes, pass, i;
	uint64_t *memory = malloc(pages * PAGE);

	if (!pages || !memory)
		return 2;
	passes = strtoull(argv[2], NULL, 10);
	for (pass = 0; pass <= passes; pass++) {
		for (i = 0; i < pages; i++) {
			uint64_t *p = memory + i * (PAGE / 8);

			if (pass && (p[0] != value(i, pass - 1) || p[511] != value(i, pass - 1))) {
				printf("page %llu is wrong in pass %llu\n", (unsigned long long)i,
				       (unsigned long long)pass);
				return 1;
			}
			p[0] = value(i, pass);
			p[511] = value(i, pass);
		}
		printf("pass %llu\n", (unsigned long long)pass);
		fflush(stdout);
	}
	return 0;
}
