// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Prints the monotonic clock in nanoseconds. */
#include <stdio.h>
#include <time.h>

int main(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	printf("%lld\n", now.tv_sec * 1000000000ll + now.tv_nsec);
	return 0;
}
