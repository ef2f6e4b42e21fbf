// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * nowait DEVICE read|write COUNT: eight threads with COUNT requests each of 4 KiB that must not be waited for
 * (RWF_NOWAIT), all on different blocks. Says how many ended well, and how many with EAGAIN; other errors are fatal.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define THREADS	8
#define BYTES	4096

static int fd;
static long count;
static bool writing;
static atomic_long done, again;

static void *worker(void *arg)
{
	long me = (long)arg, i;
	void *buf;

	if (posix_memalign(&buf, BYTES, BYTES))
		exit(2);
	memset(buf, (int)me + 1, BYTES);
	for (i = 0; i < count; i++) {
		struct iovec iov = { .iov_base = buf, .iov_len = BYTES };
		off_t at = (off_t)(me * count + i) * BYTES;
		ssize_t ret = writing ? pwritev2(fd, &iov, 1, at, RWF_NOWAIT) : preadv2(fd, &iov, 1, at, RWF_NOWAIT);

		if (ret == BYTES) {
			atomic_fetch_add(&done, 1);
		} else if (ret < 0 && errno == EAGAIN) {
			atomic_fetch_add(&again, 1);
		} else {
			perror(writing ? "pwritev2" : "preadv2");
			exit(1);
		}
	}
	free(buf);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[THREADS];
	long i;

	if (argc != 4)
		return 2;
	writing = !strcmp(argv[2], "write");
	count = atol(argv[3]);
	fd = open(argv[1], O_RDWR | O_DIRECT);
	if (fd < 0) {
		perror(argv[1]);
		return 2;
	}
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, worker, (void *)i))
			return 2;
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	printf("%ld %ld\n", atomic_load(&done), atomic_load(&again));
	return 0;
}
