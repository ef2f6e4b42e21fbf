// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Files and block devices, with O_DIRECT where it can be had. An aligned transfer is one system
 * call and nothing else.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "engine/target.h"

struct hs_file {
	struct hs_target t;
	int fd;
	bool block;			/* a block device */
	uint32_t sector;		/* bytes: what BLKDISCARD and BLKZEROOUT count in */
	atomic_bool no_dsync;		/* RWF_DSYNC is not known here */
	struct hs_edges edges;
	struct hs_doubt doubt;
	char *name;
};

static inline struct hs_file *to_file(struct hs_target *t)
{
	return container_of(t, struct hs_file, t);
}

/* ---- transfers ------------------------------------------------------------------------------- */

/*
 * pread is a cancellation point: two locked instructions around the system call, for threads that nobody cancels. The
 * sanitizers want to see it, and where a long is short an offset takes two.
 */
static inline ssize_t read_at(int fd, void *buf, size_t count, uint64_t offset)
{
#if __SIZEOF_LONG__ == 8 && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	return syscall(SYS_pread64, fd, buf, count, offset);
#else
	return pread(fd, buf, count, (off_t)offset);
#endif
}

static int raw_read(struct hs_target *t, void *buf, size_t count, uint64_t offset)
{
	int fd = to_file(t)->fd;
	ssize_t n;

	while (count) {
		n = read_at(fd, buf, count, offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;	/* shorter than it was when opened */
		buf = (char *)buf + n;
		offset += n;
		count -= n;
	}
	return 0;
}

static int write_with(int fd, const void *buf, size_t count, uint64_t offset, int flags)
{
	struct iovec iov;
	ssize_t n;

	while (count) {
		iov.iov_base = (void *)buf;
		iov.iov_len = count;
		n = flags ? pwritev2(fd, &iov, 1, (off_t)offset, flags) :
			    pwrite(fd, buf, count, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		buf = (const char *)buf + n;
		offset += n;
		count -= n;
	}
	return 0;
}

static int sync_data(int fd)
{
	int ret;

	do
		ret = fdatasync(fd);
	while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

static int write_durably(struct hs_file *f, const void *buf, size_t count, uint64_t offset)
{
	int ret = -EOPNOTSUPP;

	if (!atomic_load_explicit(&f->no_dsync, memory_order_relaxed))
		ret = write_with(f->fd, buf, count, offset, RWF_DSYNC);
	if (ret != -EOPNOTSUPP && ret != -ENOSYS)
		return ret;

	atomic_store_explicit(&f->no_dsync, true, memory_order_relaxed);
	ret = write_with(f->fd, buf, count, offset, 0);
	return ret ? ret : sync_data(f->fd);
}

static int raw_write(struct hs_target *t, const void *buf, size_t count, uint64_t offset,
		     bool fua)
{
	struct hs_file *f = to_file(t);
	uint64_t begin;

	if (!fua)
		return write_with(f->fd, buf, count, offset, 0);

	begin = hs_doubt_fua_begin(&f->doubt);
	return hs_doubt_fua_end(&f->doubt, begin, write_durably(f, buf, count, offset));
}

static int file_pread(struct hs_target *t, void *buf, size_t count, uint64_t offset)
{
	struct hs_file *f = to_file(t);

	if (unlikely(!hs_target_takes(t, count, offset)))
		return -EINVAL;
	if (unlikely(!hs_edges_fit(&f->edges, buf, count, offset)))
		return hs_edges_pread(&f->edges, t, buf, count, offset);
	return raw_read(t, buf, count, offset);
}

static int file_pwrite(struct hs_target *t, const void *buf, size_t count, uint64_t offset,
		       bool fua)
{
	if (unlikely(!hs_target_takes(t, count, offset)))
		return -EINVAL;
	return hs_edges_pwrite(&to_file(t)->edges, t, buf, count, offset, fua);
}

static int file_flush(struct hs_target *t)
{
	struct hs_file *f = to_file(t);
	uint64_t begin = hs_doubt_begin(&f->doubt);

	return hs_doubt_end(&f->doubt, begin, sync_data(f->fd));
}

/* ---- discard, zero --------------------------------------------------------------------------- */

static bool is_unsupported(int error)
{
	return error == -EOPNOTSUPP || error == -ENOSYS || error == -ENOTTY;
}

static int allocate(int fd, int mode, uint64_t count, uint64_t offset)
{
	int ret;

	do
		ret = fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)count);
	while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

static int block_ioctl(int fd, unsigned long request, uint64_t count, uint64_t offset)
{
	uint64_t range[2] = { offset, count };

	return ioctl(fd, request, range) ? -errno : 0;
}

/* The whole sectors inside the range. */
static int block_discard(struct hs_file *f, uint64_t count, uint64_t offset)
{
	uint64_t start = hs_round_up(offset, f->sector);
	uint64_t end = (offset + count) & ~(uint64_t)(f->sector - 1);

	return start < end ? block_ioctl(f->fd, BLKDISCARD, end - start, start) : 0;
}

static int file_discard(struct hs_target *t, uint64_t count, uint64_t offset)
{
	struct hs_file *f = to_file(t);
	int ret;

	if (!hs_target_takes(t, count, offset))
		return -EINVAL;
	if (!count)
		return 0;

	hs_edges_share(&f->edges);
	ret = f->block ? block_discard(f, count, offset) :
			 allocate(f->fd, FALLOC_FL_PUNCH_HOLE, count, offset);
	hs_edges_unshare(&f->edges);
	return is_unsupported(ret) ? 0 : ret;
}

static int block_zero(struct hs_file *f, uint64_t count, uint64_t offset)
{
	if ((count | offset) & (f->sector - 1))
		return -EOPNOTSUPP;
	return block_ioctl(f->fd, BLKZEROOUT, count, offset);
}

static int regular_zero(struct hs_file *f, uint64_t count, uint64_t offset)
{
	int ret;

	ret = allocate(f->fd, FALLOC_FL_ZERO_RANGE, count, offset);
	return is_unsupported(ret) ? allocate(f->fd, FALLOC_FL_PUNCH_HOLE, count, offset) : ret;
}

static int file_zero(struct hs_target *t, uint64_t count, uint64_t offset, bool fua)
{
	struct hs_file *f = to_file(t);
	uint64_t begin = hs_doubt_fua_begin(&f->doubt);
	int ret;

	if (!hs_target_takes(t, count, offset))
		return -EINVAL;
	if (!count)
		return 0;

	hs_edges_share(&f->edges);
	ret = f->block ? block_zero(f, count, offset) : regular_zero(f, count, offset);
	hs_edges_unshare(&f->edges);
	if (is_unsupported(ret))
		return hs_target_write_zeroes(t, count, offset, fua);
	if (ret || !fua)
		return ret;
	return hs_doubt_fua_end(&f->doubt, begin, sync_data(f->fd));
}

static void file_close(struct hs_target *t)
{
	struct hs_file *f = to_file(t);

	close(f->fd);			/* gives up the lock too */
	hs_edges_destroy(&f->edges);
	free(f->name);
	free(f);
}

static const struct hs_target_ops file_ops = {
	.pread = file_pread,
	.pwrite = file_pwrite,
	.flush = file_flush,
	.discard = file_discard,
	.zero = file_zero,
	.close = file_close,
};

/* ---- open: exclusive ------------------------------------------------------------------------- */

/*
 * Programs that know nothing of our locks may have the file open for writing. A read lease is
 * granted only if nobody has; it is given back at once. Best effort: not all file systems know
 * leases, and only a file's owner (and root) may ask.
 */
static int check_writers(const char *path, struct hs_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool busy;

	if (fd < 0)
		return 0;		/* the open that counts will say why */
	/* Whoever opens it for writing meanwhile makes the kernel signal us: SIGIO would kill. */
	fcntl(fd, F_SETSIG, SIGURG);
	busy = fcntl(fd, F_SETLEASE, F_RDLCK) && errno == EAGAIN;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	close(fd);
	if (busy)
		return hs_error_set(err, -EBUSY, "%s is open for writing in another program: %s",
				    path, "stop it first");
	return 0;
}

static int check_path(const char *path, unsigned int flags, struct stat *st, struct hs_error *err)
{
	int ret;

	if (stat(path, st))
		return hs_error_set(err, -errno, "cannot open %s: %s", path, strerror(errno));
	if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
		return hs_error_set(err, -EINVAL, "%s is neither a file nor a block device", path);
	if (!(flags & HS_TARGET_WRITE))
		return 0;

	ret = hs_file_in_use(st, path, err);
	return ret || S_ISBLK(st->st_mode) ? ret : check_writers(path, err);
}

/*
 * O_EXCL keeps mounts and other exclusive openers off block devices; for files it is undefined. A cache is not even
 * looked at while the kernel runs it.
 */
static int open_flags(const struct stat *st, unsigned int flags)
{
	int excl = S_ISBLK(st->st_mode) && flags & (HS_TARGET_WRITE | HS_TARGET_CACHE) ? O_EXCL : 0;

	return (flags & HS_TARGET_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC | excl;
}

/*
 * The lock belongs to the open file description: no other descriptor that this process closes drops
 * it, and when the process dies, however it does, it is gone.
 */
static int lock_file(int fd, const char *path, bool write, struct hs_error *err)
{
	struct flock lock = { .l_type = write ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };

	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return hs_error_set(err, -EBUSY, "%s is in use by another program: stop it first",
				    path);
	return hs_error_set(err, -errno, "cannot lock %s: %s", path, strerror(errno));
}

static int open_failed(const char *path, int error, struct hs_error *err)
{
	if (error == EBUSY)
		return hs_error_set(err, -error,
				    "%s is in use (by a volume or another program): %s", path,
				    "release it first");
	return hs_error_set(err, -error, "cannot open %s: %s", path, strerror(error));
}

/* Opened is what was checked? */
static bool is_as_checked(int fd, const struct stat *st)
{
	struct stat now;

	return !fstat(fd, &now) && now.st_dev == st->st_dev && now.st_ino == st->st_ino &&
	       now.st_rdev == st->st_rdev;
}

static int open_locked(const char *path, unsigned int flags, struct hs_error *err)
{
	struct stat st;
	int fd, ret;

	ret = check_path(path, flags, &st, err);
	if (ret)
		return ret;
	fd = open(path, open_flags(&st, flags));
	if (fd < 0)
		return open_failed(path, errno, err);

	ret = lock_file(fd, path, flags & HS_TARGET_WRITE, err);
	if (!ret && !is_as_checked(fd, &st))
		ret = hs_error_set(err, -EBUSY, "%s was replaced while it was opened: try again",
				   path);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

/* ---- open: direct ---------------------------------------------------------------------------- */

struct alignment {
	uint32_t unit, memory;	/* bytes */
};

/* 6.1 and later tell, for most file systems and all block devices. 0: no direct I/O here. */
static int kernel_alignment(int fd, struct alignment *a)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx))
		return -errno;
	if (!(stx.stx_mask & STATX_DIOALIGN))
		return -EOPNOTSUPP;
	a->unit = stx.stx_dio_offset_align ? (uint32_t)hs_max(stx.stx_dio_offset_align, 512) : 0;
	a->memory = stx.stx_dio_mem_align;
	return 0;
}

/*
 * Trying it out would prove nothing: a hole can be read with any alignment. 4096 serves everywhere.
 * Files in memory gain nothing from O_DIRECT, and would only lose by its alignment.
 */
static void find_alignment(const struct hs_file *f, struct alignment *a)
{
	struct statfs fs;

	if (!kernel_alignment(f->fd, a))
		return;
	a->unit = f->block ? f->sector : 4096;
	a->memory = a->unit;
	if (!fstatfs(f->fd, &fs) && !f->block &&
	    (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC))
		a->unit = 0;
}

/* Some file systems accept the flag and then refuse the I/O. */
static bool direct_reads(int fd, uint32_t unit)
{
	void *buf = aligned_alloc(hs_max(unit, 4096), hs_max(unit, 4096));
	bool works = buf && (pread(fd, buf, unit, 0) >= 0 || errno != EINVAL);

	free(buf);
	return works;
}

/* Not for a file that ends inside a unit: a direct write of the last one would make it grow. */
static bool can_direct(const struct hs_file *f, const struct alignment *a)
{
	return a->unit && a->memory && !(f->t.size & (a->unit - 1)) &&
	       direct_reads(f->fd, a->unit);
}

static int make_direct(struct hs_file *f)
{
	struct alignment a = { 0 };
	int flags = fcntl(f->fd, F_GETFL);

	find_alignment(f, &a);
	f->t.direct = !fcntl(f->fd, F_SETFL, flags | O_DIRECT) && can_direct(f, &a);
	if (!f->t.direct) {
		fcntl(f->fd, F_SETFL, flags);
		a.unit = 512;
		a.memory = 1;
	}
	f->t.align = a.unit;
	return hs_edges_init(&f->edges, a.unit, a.memory);
}

static int find_size(struct hs_file *f)
{
	struct stat st;
	uint64_t size;
	int sector = 512;

	if (fstat(f->fd, &st))
		return -errno;
	size = (uint64_t)st.st_size;
	f->block = S_ISBLK(st.st_mode);
	if (f->block && (ioctl(f->fd, BLKGETSIZE64, &size) || ioctl(f->fd, BLKSSZGET, &sector)))
		return -errno;
	f->t.size = size & ~(uint64_t)511;
	f->sector = (uint32_t)sector;
	return 0;
}

static int file_init(struct hs_file *f, const char *path, struct hs_error *err)
{
	int ret;

	f->t.ops = &file_ops;
	f->edges.read = raw_read;
	f->edges.write = raw_write;
	f->name = strdup(path);
	f->t.name = f->name;
	if (!f->name)
		return hs_error_set(err, -ENOMEM, "cannot open %s: %s", path, strerror(ENOMEM));
	ret = find_size(f);
	if (!ret)
		ret = make_direct(f);
	return ret ? hs_error_set(err, ret, "cannot open %s: %s", path, strerror(-ret)) : 0;
}

int hs_file_open(const char *path, unsigned int flags, struct hs_target **t, struct hs_error *err)
{
	struct hs_file *f;
	int ret;

	f = calloc(1, sizeof(*f));
	if (!f)
		return hs_error_set(err, -ENOMEM, "cannot open %s: %s", path, strerror(ENOMEM));

	f->fd = open_locked(path, flags, err);
	ret = f->fd < 0 ? f->fd : file_init(f, path, err);
	if (ret)
		goto fail;
	*t = &f->t;
	return 0;

fail:
	if (f->fd >= 0)
		close(f->fd);
	free(f->name);
	free(f);
	return ret;
}
