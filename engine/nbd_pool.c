// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Each connection is a libnbd handle and a thread that polls its socket. A caller hands its request
 * to libnbd, which sends it at once if it can, and sleeps until the completion callback wakes it:
 *
 *	callers ---- nbd_aio_pread() ----> handle ----> socket
 *	   ^                                              |
 *	   +-- sem_post -- callback <-- nbd_aio_notify_read() <-- poll(), the connection's thread
 *
 * When a connection is lost the pool is *broken*: no new calls, all sockets shut down. The threads
 * meet; the last to arrive closes every handle, connects anew, and lets them all go on. That all
 * connections end before one begins is on purpose: otherwise a FLUSH on a new connection could
 * succeed while another thread still has to find out that acknowledged writes died with the server.
 *
 * Locks, in this order: pool->lock, libnbd's lock of a handle, conn->calls_lock. Callbacks run
 * under the second.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <libnbd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/list.h"
#include "engine/nbd_pool.h"

#define MS			1000000ull		/* ns */
#define CONNECT_LIMIT		(10000 * MS)
#define PAUSE_MIN		(100 * MS)
#define PAUSE_MAX		(5000 * MS)
/* No answer at all for so long, with calls waiting: the server is taken for dead. */
#ifndef HS_NBD_STALL_LIMIT
#define HS_NBD_STALL_LIMIT	(120000 * MS)
#endif
#define POLL_MS			1000
#define TRANSFER_MAX		(32u * HS_MIB)		/* where the server names no limit */

struct conn {
	struct hs_nbd_pool *pool;
	struct nbd_handle *nbd;
	/* Our own descriptor of the handle's socket: libnbd closes its one when the connection
	 * ends, and then the number may soon stand for somebody else's file. */
	int fd;
	int wake;		/* eventfd: there is something to send */
	pthread_t thread;
	pthread_mutex_t calls_lock;
	struct hs_list calls;	/* in flight */
	uint64_t heard;		/* ns: last answer, or first call after none were in flight */
};

struct hs_nbd_pool {
	pthread_rwlock_t lock;	/* shared: to use the handles; alone: to change up */
	atomic_bool up;
	atomic_uint next;	/* connection, in turn */
	struct conn conns[HS_NBD_CONNS];
	unsigned int nr;
	struct hs_nbd_export export;
	char *uri;

	/* Non-FUA writes answered, and how many of them a FLUSH answered later has covered. */
	atomic_uint_fast64_t acked, flushed;
	struct hs_doubt doubt;

	/* Where the threads of a broken pool meet. */
	pthread_mutex_t meet_lock;
	pthread_cond_t meet;
	unsigned int arrived, round;
	bool closing;
};

struct call {
	struct conn *conn;
	struct hs_list link;	/* in conn->calls until it has ended */
	enum hs_nbd_op op;
	bool fua;
	int error;
	sem_t ended;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 * MS + (uint64_t)ts.tv_nsec;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static bool call_changes(const struct call *c)
{
	return c->op == HS_NBD_WRITE || c->op == HS_NBD_TRIM || c->op == HS_NBD_ZERO;
}

static void call_end(struct call *c, int error)
{
	struct conn *conn = c->conn;

	/* Counted before the caller knows, so that a FLUSH made after that covers it. */
	if (!error && call_changes(c) && !c->fua)
		atomic_fetch_add(&conn->pool->acked, 1);
	pthread_mutex_lock(&conn->calls_lock);
	hs_list_del(&c->link);
	conn->heard = now_ns();
	pthread_mutex_unlock(&conn->calls_lock);
	c->error = error;
	sem_post(&c->ended);
}

/* Under the handle's lock: must not call libnbd. 1: libnbd may forget the command. */
static int call_answered(void *arg, int *error)
{
	call_end(arg, *error == ESHUTDOWN ? -ENOTCONN : -*error);
	return 1;
}

static int64_t call_send(struct call *c, void *buf, size_t count, uint64_t offset)
{
	nbd_completion_callback done = { .callback = call_answered, .user_data = c };
	struct nbd_handle *nbd = c->conn->nbd;
	uint32_t flags = c->fua ? LIBNBD_CMD_FLAG_FUA : 0;

	switch (c->op) {
	case HS_NBD_READ:
		return nbd_aio_pread(nbd, buf, count, offset, done, 0);
	case HS_NBD_WRITE:
		return nbd_aio_pwrite(nbd, buf, count, offset, done, flags);
	case HS_NBD_FLUSH:
		return nbd_aio_flush(nbd, done, 0);
	case HS_NBD_TRIM:
		return nbd_aio_trim(nbd, count, offset, done, flags);
	case HS_NBD_ZERO:
		return nbd_aio_zero(nbd, count, offset, done, flags);
	}
	return -1;
}

/* Not queued, so no callback comes; unless one came and libnbd failed after it. */
static void call_refused(struct call *c)
{
	bool in_flight;

	pthread_mutex_lock(&c->conn->calls_lock);
	in_flight = !hs_list_empty(&c->link);
	pthread_mutex_unlock(&c->conn->calls_lock);
	if (in_flight)
		call_end(c, -ENOTCONN);
}

static void call_start(struct call *c, void *buf, size_t count, uint64_t offset)
{
	struct conn *conn = c->conn;

	pthread_mutex_lock(&conn->calls_lock);
	if (hs_list_empty(&conn->calls))
		conn->heard = now_ns();
	hs_list_add_tail(&conn->calls, &c->link);
	pthread_mutex_unlock(&conn->calls_lock);

	if (call_send(c, buf, count, offset) < 0)
		call_refused(c);
	else if (nbd_aio_get_direction(conn->nbd) & LIBNBD_AIO_DIRECTION_WRITE)
		eventfd_write(conn->wake, 1);
}

int hs_nbd_pool_call(struct hs_nbd_pool *pool, enum hs_nbd_op op, void *buf, size_t count,
		     uint64_t offset, bool fua)
{
	struct call c = { .op = op, .fua = fua };

	pthread_rwlock_rdlock(&pool->lock);
	if (!atomic_load(&pool->up)) {
		pthread_rwlock_unlock(&pool->lock);
		return -ENOTCONN;
	}
	c.conn = &pool->conns[atomic_fetch_add(&pool->next, 1) % pool->nr];
	sem_init(&c.ended, 0, 0);
	call_start(&c, buf, count, offset);
	pthread_rwlock_unlock(&pool->lock);

	while (sem_wait(&c.ended))
		;
	sem_destroy(&c.ended);
	return c.error;
}

static void pool_flushed(struct hs_nbd_pool *pool, uint64_t acked)
{
	uint64_t flushed = atomic_load(&pool->flushed);

	while (flushed < acked && !atomic_compare_exchange_weak(&pool->flushed, &flushed, acked))
		;
}

int hs_nbd_pool_flush(struct hs_nbd_pool *pool)
{
	uint64_t acked = atomic_load(&pool->acked);
	int ret;

	ret = hs_nbd_pool_call(pool, HS_NBD_FLUSH, NULL, 0, 0, false);
	if (!ret)
		pool_flushed(pool, acked);
	return ret;
}

/* ---- a connection ---------------------------------------------------------------------------- */

/* A peer that went away without a word (power, cable) must not leave calls hanging. */
static void conn_keepalive(int fd)
{
	int on = 1, idle = 10, interval = 5, count = 4, limit_ms = 30000;

	if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)))
		return;
	/* These fail on unix sockets, which need none of it. */
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms, sizeof(limit_ms));
}

static bool pool_is_closing(struct hs_nbd_pool *pool)
{
	bool closing;

	pthread_mutex_lock(&pool->meet_lock);
	closing = pool->closing;
	pthread_mutex_unlock(&pool->meet_lock);
	return closing;
}

/* -1: the reason is libnbd's, except for a time-out. */
static int handshake(struct hs_nbd_pool *pool, struct nbd_handle *nbd)
{
	uint64_t limit = now_ns() + CONNECT_LIMIT;

	nbd_set_uri_allow_local_file(nbd, true);	/* TLS keys */
	if (nbd_aio_connect_uri(nbd, pool->uri))
		return -1;
	while (nbd_aio_is_connecting(nbd)) {
		if (nbd_poll(nbd, 100) < 0)
			return -1;
		if (now_ns() > limit || pool_is_closing(pool))
			return -1;
	}
	return nbd_aio_is_ready(nbd) ? 0 : -1;
}

static void conn_drop(struct conn *conn)
{
	nbd_close(conn->nbd);
	conn->nbd = NULL;
	if (conn->fd >= 0)
		close(conn->fd);
	conn->fd = -1;
}

static int conn_dial(struct conn *conn, struct hs_error *err)
{
	const char *why;
	int ret;

	conn->nbd = nbd_create();
	if (conn->nbd && !handshake(conn->pool, conn->nbd)) {
		conn->fd = fcntl(nbd_aio_get_fd(conn->nbd), F_DUPFD_CLOEXEC, 0);
		if (conn->fd >= 0) {
			conn_keepalive(conn->fd);
			return 0;
		}
	}

	why = nbd_get_error();
	ret = nbd_get_errno() ? -nbd_get_errno() : why ? -EIO : -ETIMEDOUT;
	hs_error_set(err, ret, "cannot connect to %s: %s", conn->pool->uri,
		     why ? why : "the server does not answer");
	conn_drop(conn);
	return ret;
}

static void conn_hang_up(struct conn *conn)
{
	struct call *c;

	conn_drop(conn);
	/* From here on no callback comes. */
	while (!hs_list_empty(&conn->calls)) {
		c = hs_list_entry(conn->calls.next, struct call, link);
		call_end(c, -ENOTCONN);
	}
}

static bool conn_stalled(struct conn *conn)
{
	bool stalled;

	pthread_mutex_lock(&conn->calls_lock);
	stalled = !hs_list_empty(&conn->calls) && now_ns() - conn->heard > HS_NBD_STALL_LIMIT;
	pthread_mutex_unlock(&conn->calls_lock);
	return stalled;
}

static short poll_events(unsigned int direction)
{
	return (direction & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
	       (direction & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0);
}

/*
 * The handle may have moved on since poll(): libnbd then refuses the notification, nothing is lost,
 * and the next round asks for its direction anew. Whether the connection lives is asked for in one
 * place.
 */
static void conn_poll(struct conn *conn)
{
	struct pollfd fds[2] = {
		{ .fd = conn->fd, .events = poll_events(nbd_aio_get_direction(conn->nbd)) },
		{ .fd = conn->wake, .events = POLLIN },
	};
	eventfd_t ignored;

	if (poll(fds, 2, POLL_MS) <= 0)
		return;
	if (fds[1].revents)
		eventfd_read(conn->wake, &ignored);
	if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) && (fds[0].events & POLLIN))
		nbd_aio_notify_read(conn->nbd);
	else if (fds[0].revents)
		nbd_aio_notify_write(conn->nbd);
}

static bool conn_lives(struct conn *conn)
{
	return !nbd_aio_is_dead(conn->nbd) && !nbd_aio_is_closed(conn->nbd) && !conn_stalled(conn);
}

/* ---- the pool -------------------------------------------------------------------------------- */

static void pool_break(struct hs_nbd_pool *pool)
{
	unsigned int i;

	pthread_rwlock_wrlock(&pool->lock);
	if (atomic_exchange(&pool->up, false)) {
		for (i = 0; i < pool->nr; i++)
			shutdown(pool->conns[i].fd, SHUT_RDWR);
	}
	pthread_rwlock_unlock(&pool->lock);
}

static void pool_hang_up(struct hs_nbd_pool *pool)
{
	unsigned int i;

	for (i = 0; i < pool->nr; i++)
		conn_hang_up(&pool->conns[i]);
	/*
	 * The server may have been killed, and writes that it acknowledged may have been in no more
	 * than its memory. Its successor knows nothing of them and will answer a FLUSH with
	 * success. So our next FLUSH fails: its callers must take what they wrote since the last
	 * one for lost.
	 */
	if (atomic_load(&pool->acked) != atomic_load(&pool->flushed)) {
		hs_doubt_raise(&pool->doubt);
		atomic_store(&pool->flushed, atomic_load(&pool->acked));
	}
}

static int export_read(struct nbd_handle *nbd, struct hs_nbd_export *e)
{
	int64_t size = nbd_get_size(nbd);
	int64_t min = nbd_get_block_size(nbd, LIBNBD_SIZE_MINIMUM);
	int64_t max = nbd_get_block_size(nbd, LIBNBD_SIZE_MAXIMUM);

	if (size < 0)
		return -EIO;
	e->size = (uint64_t)size;
	e->unit = min > 512 ? (uint32_t)min : 512;
	e->max = max > 0 && max < TRANSFER_MAX ? (uint32_t)max : TRANSFER_MAX;
	e->max &= ~(e->unit - 1);
	e->read_only = nbd_is_read_only(nbd) == 1;
	e->multi_conn = nbd_can_multi_conn(nbd) == 1;
	e->can_flush = nbd_can_flush(nbd) == 1;
	e->can_fua = nbd_can_fua(nbd) == 1;
	e->can_trim = nbd_can_trim(nbd) == 1;
	e->can_zero = nbd_can_zero(nbd) == 1;
	return 0;
}

/* Another size, other limits: another export, however it came to this address. */
static bool export_is_same(const struct hs_nbd_export *a, const struct hs_nbd_export *b)
{
	return a->size == b->size && a->unit == b->unit && a->max == b->max &&
	       a->read_only == b->read_only && a->multi_conn == b->multi_conn &&
	       a->can_flush == b->can_flush && a->can_fua == b->can_fua &&
	       a->can_trim == b->can_trim && a->can_zero == b->can_zero;
}

static bool conn_redial(struct conn *conn)
{
	struct hs_nbd_export e;

	return !conn_dial(conn, NULL) && !export_read(conn->nbd, &e) &&
	       export_is_same(&e, &conn->pool->export);
}

static bool pool_redial(struct hs_nbd_pool *pool)
{
	unsigned int i;

	for (i = 0; i < pool->nr; i++) {
		if (!conn_redial(&pool->conns[i]))
			return false;
	}
	pthread_rwlock_wrlock(&pool->lock);
	atomic_store(&pool->up, true);
	pthread_rwlock_unlock(&pool->lock);
	return true;
}

/* Returns early, and true, when the pool is being closed. */
static bool pool_pause(struct hs_nbd_pool *pool, uint64_t pause)
{
	uint64_t until = now_ns() + pause;
	struct timespec ts = {
		.tv_sec = (time_t)(until / (1000 * MS)), .tv_nsec = (long)(until % (1000 * MS)),
	};
	int ret = 0;
	bool closing;

	pthread_mutex_lock(&pool->meet_lock);
	while (!pool->closing && !ret)
		ret = pthread_cond_timedwait(&pool->meet, &pool->meet_lock, &ts);
	closing = pool->closing;
	pthread_mutex_unlock(&pool->meet_lock);
	return closing;
}

static void pool_renew(struct hs_nbd_pool *pool)
{
	uint64_t pause = PAUSE_MIN;

	pool_hang_up(pool);
	while (!pool_is_closing(pool) && !pool_redial(pool)) {
		pool_hang_up(pool);
		if (pool_pause(pool, pause))
			break;
		pause = hs_min(2 * pause, PAUSE_MAX);
	}
}

/*
 * All threads meet; the last one renews the pool. False: it is being closed, with no call in
 * flight.
 */
static bool pool_meet(struct hs_nbd_pool *pool)
{
	unsigned int round;
	bool closing;

	pthread_mutex_lock(&pool->meet_lock);
	round = pool->round;
	if (++pool->arrived == pool->nr) {
		pthread_mutex_unlock(&pool->meet_lock);
		pool_renew(pool);
		pthread_mutex_lock(&pool->meet_lock);
		pool->arrived = 0;
		pool->round++;
		pthread_cond_broadcast(&pool->meet);
	}
	while (round == pool->round && !pool->closing)
		pthread_cond_wait(&pool->meet, &pool->meet_lock);
	closing = pool->closing;
	pthread_mutex_unlock(&pool->meet_lock);
	return !closing;
}

static void *conn_thread(void *arg)
{
	struct conn *conn = arg;

	do {
		while (atomic_load(&conn->pool->up) && conn_lives(conn))
			conn_poll(conn);
		pool_break(conn->pool);
	} while (pool_meet(conn->pool));
	return NULL;
}

/* ---- open, close ----------------------------------------------------------------------------- */

static int conn_init(struct conn *conn, struct hs_nbd_pool *pool)
{
	conn->pool = pool;
	conn->fd = -1;
	conn->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (conn->wake < 0)
		return -errno;
	pthread_mutex_init(&conn->calls_lock, NULL);
	hs_list_init(&conn->calls);
	return 0;
}

static void conn_destroy(struct conn *conn)
{
	conn_drop(conn);
	pthread_mutex_destroy(&conn->calls_lock);
	close(conn->wake);
}

/* The threads take no signals: those are the program's. */
static int conn_start(struct conn *conn)
{
	sigset_t all, before;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&conn->thread, NULL, conn_thread, conn);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -ret;
}

static struct hs_nbd_pool *pool_new(const char *uri)
{
	struct hs_nbd_pool *pool = calloc(1, sizeof(*pool));
	pthread_condattr_t attr;

	if (!pool)
		return NULL;
	pool->uri = strdup(uri);
	if (!pool->uri) {
		free(pool);
		return NULL;
	}
	pthread_rwlock_init(&pool->lock, NULL);
	pthread_mutex_init(&pool->meet_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->meet, &attr);
	pthread_condattr_destroy(&attr);
	return pool;
}

static void pool_free(struct hs_nbd_pool *pool)
{
	while (pool->nr)
		conn_destroy(&pool->conns[--pool->nr]);
	pthread_cond_destroy(&pool->meet);
	pthread_mutex_destroy(&pool->meet_lock);
	pthread_rwlock_destroy(&pool->lock);
	free(pool->uri);
	free(pool);
}

static int pool_add(struct hs_nbd_pool *pool, struct hs_error *err)
{
	struct conn *conn = &pool->conns[pool->nr];
	int ret;

	ret = conn_init(conn, pool);
	if (ret)
		return hs_error_set(err, ret, "cannot connect to %s: %s", pool->uri,
				    strerror(-ret));
	ret = conn_dial(conn, err);
	if (ret)
		conn_destroy(conn);
	else
		pool->nr++;
	return ret;
}

static int pool_connect(struct hs_nbd_pool *pool, struct hs_error *err)
{
	int ret;

	ret = pool_add(pool, err);
	if (ret)
		return ret;
	if (export_read(pool->conns[0].nbd, &pool->export))
		return hs_error_set(err, -EIO, "%s: the server does not tell its size", pool->uri);
	/* A server may well allow fewer connections than we would like. */
	while (pool->export.multi_conn && pool->nr < HS_NBD_CONNS && !pool_add(pool, NULL))
		;
	return 0;
}

static void pool_stop(struct hs_nbd_pool *pool, unsigned int started)
{
	pthread_mutex_lock(&pool->meet_lock);
	pool->closing = true;
	pthread_cond_broadcast(&pool->meet);
	pthread_mutex_unlock(&pool->meet_lock);
	pool_break(pool);
	while (started)
		pthread_join(pool->conns[--started].thread, NULL);
}

static int pool_start(struct hs_nbd_pool *pool)
{
	unsigned int i;
	int ret;

	atomic_store(&pool->up, true);
	for (i = 0; i < pool->nr; i++) {
		ret = conn_start(&pool->conns[i]);
		if (ret) {
			pool_stop(pool, i);
			return ret;
		}
	}
	return 0;
}

int hs_nbd_pool_open(const char *uri, struct hs_nbd_pool **pool, struct hs_error *err)
{
	struct hs_nbd_pool *p = pool_new(uri);
	int ret;

	if (!p)
		return hs_error_set(err, -ENOMEM, "cannot open %s: %s", uri, strerror(ENOMEM));
	ret = pool_connect(p, err);
	if (!ret) {
		ret = pool_start(p);
		if (ret)
			hs_error_set(err, ret, "cannot open %s: %s", uri, strerror(-ret));
	}
	if (ret)
		pool_free(p);
	else
		*pool = p;
	return ret;
}

/* Tells the server that this is a farewell and no crash. */
static void pool_say_goodbye(struct hs_nbd_pool *pool)
{
	unsigned int i;

	pthread_rwlock_rdlock(&pool->lock);
	for (i = 0; i < pool->nr && atomic_load(&pool->up); i++)
		nbd_aio_disconnect(pool->conns[i].nbd, 0);
	pthread_rwlock_unlock(&pool->lock);
}

void hs_nbd_pool_close(struct hs_nbd_pool *pool)
{
	pool_say_goodbye(pool);
	pool_stop(pool, pool->nr);
	pool_free(pool);
}

const struct hs_nbd_export *hs_nbd_pool_export(const struct hs_nbd_pool *pool)
{
	return &pool->export;
}

struct hs_doubt *hs_nbd_pool_doubt(struct hs_nbd_pool *pool)
{
	return &pool->doubt;
}
