// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * zipf BLOCKS EXPONENT READ-PERCENT SEED SKIP COUNT: an I/O log for fio (version 2) of 4 KiB requests. The same numbers
 * give the same requests; SKIP passes over so many first. Ranks are strewn over the blocks by a fixed permutation.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t state;

static uint64_t next(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint32_t *permutation(uint32_t n)
{
	uint32_t *p = malloc(n * sizeof(*p)), i;

	if (!p)
		exit(2);
	for (i = 0; i < n; i++)
		p[i] = i;
	for (i = n - 1; i; i--) {
		uint32_t j = (uint32_t)(next() % (i + 1)), x = p[i];

		p[i] = p[j];
		p[j] = x;
	}
	return p;
}

static double *sums(uint32_t n, double exponent)
{
	double *s = malloc(n * sizeof(*s)), sum = 0;
	uint32_t i;

	if (!s)
		exit(2);
	for (i = 0; i < n; i++)
		s[i] = sum += pow(i + 1, -exponent);
	return s;
}

static uint32_t rank(const double *s, uint32_t n, double x)
{
	uint32_t low = 0, high = n - 1;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (s[middle] < x)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int main(int argc, char **argv)
{
	uint64_t i, skip, count;
	uint32_t blocks, *place;
	unsigned int reads;
	double *s;

	if (argc != 7)
		return 2;
	blocks = (uint32_t)atol(argv[1]);
	reads = (unsigned int)atoi(argv[3]);
	state = strtoull(argv[4], NULL, 10);
	skip = strtoull(argv[5], NULL, 10);
	count = strtoull(argv[6], NULL, 10);
	if (!blocks)
		return 2;
	place = permutation(blocks);
	s = sums(blocks, atof(argv[2]));
	printf("fio version 2 iolog\n/dev/null add\n/dev/null open\n");
	for (i = 0; i < skip + count; i++) {
		double x = (double)(next() >> 11) / 9007199254740992.0;
		uint32_t block = place[rank(s, blocks, x * s[blocks - 1])];
		const char *op = next() % 100 < reads ? "read" : "write";

		if (i >= skip)
			printf("/dev/null %s %" PRIu64 " 4096\n", op, (uint64_t)block * 4096);
	}
	printf("/dev/null close\n");
	free(place);
	free(s);
	return 0;
}
