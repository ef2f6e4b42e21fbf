// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * See request.h. There is one device and no state of a connection's own: a FLUSH on any connection
 * covers what was acknowledged on all of them, which is what multi-conn promises.
 */
#include "request.h"

#include <errno.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <hotset/hotset.h>

#include "gate.h"
#include "log.h"
#include "plugin.h"
#include "sector.h"

#define PREFERRED_MAX	(64u << 10)
#define REQUEST_MAX	(32u << 20)

void *hs_request_open(int readonly)
{
	(void)readonly;
	return NBDKIT_HANDLE_NOT_NEEDED;
}

int64_t hs_request_size(void *handle)
{
	(void)handle;
	return hs_plugin.size;
}

/* Every byte range is served, so the minimum is 1; whole blocks are what costs least. */
int hs_request_block_size(void *handle, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum)
{
	(void)handle;
	*minimum = 1;
	*preferred = hs_plugin.block_size < PREFERRED_MAX ? hs_plugin.block_size : PREFERRED_MAX;
	*maximum = REQUEST_MAX;
	return 0;
}

int hs_request_can_write(void *handle)
{
	(void)handle;
	return !hs_plugin.readonly;
}

int hs_request_can_fua(void *handle)
{
	(void)handle;
	return NBDKIT_FUA_NATIVE;
}

/* nbdkit reads the range and drops it: that is how a client warms the cache. */
int hs_request_can_cache(void *handle)
{
	(void)handle;
	return NBDKIT_CACHE_EMULATE;
}

int hs_request_can_yes(void *handle)
{
	(void)handle;
	return 1;
}

int hs_request_can_no(void *handle)
{
	(void)handle;
	return 0;
}

static uint32_t flags_of(uint32_t flags)
{
	return flags & NBDKIT_FLAG_FUA ? HS_FUA : 0;
}

static bool request_begin(void)
{
	if (hs_gate_enter())
		return true;
	nbdkit_set_error(ESHUTDOWN);
	return false;
}

static int request_end(const char *what, uint64_t count, uint64_t offset, int r)
{
	hs_gate_leave();
	if (!r)
		return 0;
	hs_log_request(what, count, offset, -r);
	nbdkit_set_error(-r);
	return -1;
}

int hs_request_pread(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
	int r;

	(void)handle;
	(void)flags;
	if (!request_begin())
		return -1;
	r = hs_sector_pread(hs_plugin.dev, buf, count, offset);
	return request_end("read", count, offset, r);
}

int hs_request_pwrite(void *handle, const void *buf, uint32_t count, uint64_t offset,
		      uint32_t flags)
{
	int r;

	(void)handle;
	if (!request_begin())
		return -1;
	r = hs_sector_pwrite(hs_plugin.dev, buf, count, offset, flags_of(flags));
	return request_end("write", count, offset, r);
}

int hs_request_flush(void *handle, uint32_t flags)
{
	(void)handle;
	(void)flags;
	if (!request_begin())
		return -1;
	return request_end("flush", 0, 0, hs_dev_flush(hs_plugin.dev));
}

int hs_request_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	int r;

	(void)handle;
	if (!request_begin())
		return -1;
	r = hs_sector_discard(hs_plugin.dev, count, offset, flags_of(flags));
	return request_end("discard", count, offset, r);
}

int hs_request_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	int r;

	(void)handle;
	if (!request_begin())
		return -1;
	r = hs_sector_zero(hs_plugin.dev, count, offset, flags_of(flags));
	return request_end("zeroing", count, offset, r);
}
