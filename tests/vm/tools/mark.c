// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * mark MS ROUNDS A B: until it is killed, sets the same mark t.N.R in the logs A and then B (dm-log-writes devices, by
 * name), every so many milliseconds. R is the number of the last full line "flushed R" in the file ROUNDS, read before.
 */
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int control;

static long last_round(int fd)
{
	char text[256], *line, *end;
	off_t size = lseek(fd, 0, SEEK_END), at = size > 255 ? size - 255 : 0;
	ssize_t n = pread(fd, text, 255, at);
	long last = 0;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	for (line = strstr(text, "flushed "); line; line = strstr(end, "flushed ")) {
		long round = strtol(line + 8, &end, 10);

		if (*end == '\n')
			last = round;
	}
	return last;
}

static void mark(const char *device, const char *name)
{
	struct {
		struct dm_ioctl io;
		struct dm_target_msg msg;
		char text[64];
	} request = { .io = { .version = { DM_VERSION_MAJOR, 0, 0 } } };

	request.io.data_size = sizeof(request);
	request.io.data_start = (__u32)((char *)&request.msg - (char *)&request);
	snprintf(request.io.name, sizeof(request.io.name), "%s", device);
	snprintf((char *)&request + request.io.data_start + sizeof(request.msg), sizeof(request.text), "mark %s", name);
	if (ioctl(control, DM_TARGET_MSG, &request)) {
		perror(device);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	unsigned long n;
	int rounds;

	if (argc != 5)
		return 2;
	control = open("/dev/mapper/control", O_RDWR);
	rounds = open(argv[2], O_RDONLY);
	if (control < 0 || rounds < 0) {
		perror(control < 0 ? "/dev/mapper/control" : argv[2]);
		return 1;
	}
	for (n = 0;; n++) {
		char name[48];

		snprintf(name, sizeof(name), "t.%lu.%ld", n, last_round(rounds));
		mark(argv[3], name);
		mark(argv[4], name);
		usleep((useconds_t)atoi(argv[1]) * 1000);
	}
}
