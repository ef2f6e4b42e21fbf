// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 *	fail-nth N COMMAND...	runs COMMAND with the Nth of the kernel's faults that could happen on its way made to happen
 *
 * (Documentation/fault-injection; what can fail is set in debugfs.) Says on stdout how many of the N were left in the end:
 * 0, it happened. The exit status is COMMAND's.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int run(const char *n, char **argv)
{
	int fd = open("/proc/self/fail-nth", O_WRONLY);
	int null = open("/dev/null", O_WRONLY);

	if (fd < 0 || null < 0 || write(fd, n, strlen(n)) < 0) {
		perror("/proc/self/fail-nth");
		return 126;
	}
	close(fd);
	dup2(null, STDOUT_FILENO);
	close(null);
	execvp(argv[0], argv);
	perror(argv[0]);
	return 127;
}

int main(int argc, char **argv)
{
	char path[64], left[32] = "";
	siginfo_t info;
	int fd, status;
	ssize_t len;
	pid_t pid;

	if (argc < 3)
		return 126;
	pid = fork();
	if (!pid)
		return run(argv[1], argv + 2);
	/* What is left can be read as long as the process is not quite gone. */
	if (pid < 0 || waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT))
		return 126;
	snprintf(path, sizeof(path), "/proc/%d/fail-nth", (int)pid);
	fd = open(path, O_RDONLY);
	len = fd < 0 ? -1 : read(fd, left, sizeof(left) - 1);
	if (len <= 0 || waitpid(pid, &status, 0) != pid) {
		perror(path);
		return 126;
	}
	printf("%d\n", atoi(left));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
