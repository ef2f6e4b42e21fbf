// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * See claim.h.
 *
 * A socket file outlives a killed process, and whether anybody listens on it cannot be asked
 * without a race. So the name is a lock on NAME.lock; who holds it may replace NAME.sock.
 * The lock file is removed at the end while it is locked, so a taker has to make sure that
 * the file it locked is still the one of that name.
 */
#include "claim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "names.h"

static int rundir_make(const char *rundir)
{
	struct stat st;

	if (mkdir(rundir, 0700) && errno != EEXIST) {
		int err = errno;

		hs_log_error("cannot make the directory %s: %s; set HOTSET_RUNDIR to another one",
			     rundir, strerror(err));
		return -err;
	}
	if (stat(rundir, &st) || !S_ISDIR(st.st_mode)) {
		hs_log_error("%s is no directory; set HOTSET_RUNDIR to another one", rundir);
		return -ENOTDIR;
	}
	return 0;
}

static int is_same_file(int fd, const char *path)
{
	struct stat a, b;

	return !fstat(fd, &a) && !stat(path, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* A descriptor that holds the lock, or a negative errno. */
static int lock_file(const char *path)
{
	for (;;) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		int err;

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB)) {
			err = errno;
			close(fd);
			return err == EWOULDBLOCK ? -EBUSY : -err;
		}
		if (is_same_file(fd, path))
			return fd;
		close(fd);
	}
}

static int name_lock(struct hs_claim *claim, const char *name)
{
	int fd = lock_file(claim->lock_path);

	if (fd >= 0) {
		claim->lock_fd = fd;
		return 0;
	}
	if (fd == -EBUSY)
		hs_log_error("a server named %s is running; stop it with 'hotset stop %s' or "
			     "choose another --name", name, name);
	else
		hs_log_error("cannot lock %s: %s", claim->lock_path, strerror(-fd));
	return fd;
}

/* A listening socket at path, in place of whatever was there, or a negative errno. */
static int socket_listen(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path);
	/* On the descriptor and before bind, so that the file never has a wider mode. */
	if (!fchmod(fd, 0600) && !bind(fd, (struct sockaddr *)&addr, sizeof(addr)) &&
	    !listen(fd, SOMAXCONN))
		return fd;
	err = errno;
	close(fd);
	return -err;
}

int hs_claim_take(struct hs_claim *claim, const char *rundir, const char *name)
{
	int r;

	claim->lock_fd = claim->socket_fd = -1;
	if (hs_rundir_socket(claim->socket_path, sizeof(claim->socket_path), rundir, name,
			     ".sock") ||
	    hs_rundir_socket(claim->lock_path, sizeof(claim->lock_path), rundir, name, ".lock")) {
		hs_log_error("%s/%s.sock is too long for a socket; choose a shorter --name or "
			     "HOTSET_RUNDIR", rundir, name);
		return -ENAMETOOLONG;
	}
	r = rundir_make(rundir);
	if (r)
		return r;
	r = name_lock(claim, name);
	if (r)
		return r;
	claim->socket_fd = socket_listen(claim->socket_path);
	if (claim->socket_fd < 0) {
		r = claim->socket_fd;
		hs_log_error("cannot listen on %s: %s", claim->socket_path, strerror(-r));
		hs_claim_drop(claim);
		return r;
	}
	return 0;
}

void hs_claim_drop(struct hs_claim *claim)
{
	if (claim->lock_fd < 0)
		return;
	if (claim->socket_fd >= 0)
		close(claim->socket_fd);
	unlink(claim->socket_path);
	unlink(claim->lock_path);
	close(claim->lock_fd);
	claim->lock_fd = claim->socket_fd = -1;
}
