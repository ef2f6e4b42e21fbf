// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <pthread.h>
#include <stdlib.h>

#include "engine/call.h"
#include "engine/exec.h"
#include "engine/pool.h"

/* Larger buffers go back to the device's pool rather than stay with an idle thread. */
#define HS_CALL_KEEP	(64 * HS_KIB)

static __thread struct hs_call *hs_call_kept;
static pthread_key_t hs_call_key;
static pthread_once_t hs_call_once = PTHREAD_ONCE_INIT;

static void hs_call_thread_exit(void *arg)
{
	(void)arg;
	hs_call_free(hs_call_kept);
	hs_call_kept = NULL;
}

static void hs_call_make_key(void)
{
	pthread_key_create(&hs_call_key, hs_call_thread_exit);
}

void hs_call_free(struct hs_call *call)
{
	if (!call)
		return;
	hs_buffer_free(call->lent);
	hs_buffer_free(call->block);
	free(call->csum);
	free(call);
}

static void hs_call_drop_buffers(struct hs_exec *x, struct hs_call *call)
{
	bool ours = call->buf_bytes == x->block_bytes;

	if (ours) {
		hs_pool_put(&x->blocks, call->lent);
		hs_pool_put(&x->blocks, call->block);
	} else {
		hs_buffer_free(call->lent);
		hs_buffer_free(call->block);
	}
	call->lent = NULL;
	call->block = NULL;
	call->buf_bytes = 0;
}

/* Makes a call of any past fit the device. */
static struct hs_call *hs_call_fit(struct hs_exec *x, struct hs_call *call)
{
	if (call->buf_bytes != x->block_bytes) {
		hs_call_drop_buffers(x, call);
		call->buf_bytes = x->block_bytes;
	}
	if (call->csum_bytes < x->csum_bytes) {
		free(call->csum);
		call->csum_bytes = 0;
		call->csum = malloc(x->csum_bytes);
		if (!call->csum) {
			hs_call_free(call);
			return NULL;
		}
		call->csum_bytes = x->csum_bytes;
	}
	return call;
}

static struct hs_call *hs_call_spare(struct hs_exec *x)
{
	struct hs_call *call;

	hs_mutex_lock(&x->spare_lock);
	call = x->spare;
	if (call) {
		x->spare = call->next;
		x->nr_spare--;
	}
	hs_mutex_unlock(&x->spare_lock);
	if (!call)
		call = calloc(1, sizeof(*call));
	return call ? hs_call_fit(x, call) : NULL;
}

struct hs_call *hs_call_get(struct hs_exec *x)
{
	struct hs_call *call = hs_call_kept;

	if (!call)
		return hs_call_spare(x);
	hs_call_kept = NULL;
	if (unlikely(call->buf_bytes != x->block_bytes || call->csum_bytes < x->csum_bytes))
		return hs_call_fit(x, call);
	return call;
}

static bool hs_call_keep(struct hs_call *call)
{
	static __thread bool has_destructor;

	if (hs_call_kept)
		return false;
	if (unlikely(!has_destructor)) {
		pthread_once(&hs_call_once, hs_call_make_key);
		if (pthread_setspecific(hs_call_key, &hs_call_key))
			return false;
		has_destructor = true;
	}
	hs_call_kept = call;
	return true;
}

void hs_call_put(struct hs_exec *x, struct hs_call *call)
{
	if (x->block_bytes > HS_CALL_KEEP)
		hs_call_drop_buffers(x, call);
	if (likely(hs_call_keep(call)))
		return;
	hs_call_drop_buffers(x, call);
	hs_mutex_lock(&x->spare_lock);
	if (x->nr_spare < HS_SPARE_CALLS) {
		call->next = x->spare;
		x->spare = call;
		x->nr_spare++;
		call = NULL;
	}
	hs_mutex_unlock(&x->spare_lock);
	hs_call_free(call);
}

/* ---- buffers --------------------------------------------------------------------------------- */

static u32 hs_call_bytes(const struct hs_call *call)
{
	return call->req.sectors << HS_SECTOR_SHIFT;
}

static u32 hs_call_place(const struct hs_exec *x, const struct hs_call *call)
{
	return (u32)(call->req.sector.nr << HS_SECTOR_SHIFT) & (x->block_bytes - 1);
}

u8 *hs_call_block(struct hs_exec *x, struct hs_call *call)
{
	if (!call->block)
		call->block = hs_pool_get(&x->blocks);
	return call->block;
}

static int hs_call_fetch(const struct hs_call *call, u8 *to)
{
	if (unlikely(call->source))
		return call->source->fetch(call->source, to);
	if (call->req.flags & HS_REQ_ZEROES)
		memset(to, 0, hs_call_bytes(call));
	else
		memcpy(to, call->data, hs_call_bytes(call));
	return 0;
}

u8 *hs_call_lend(struct hs_exec *x, struct hs_call *call)
{
	if (call->lent_filled)
		return call->lent;
	if (!call->lent)
		call->lent = hs_pool_get(&x->blocks);
	if (!call->lent || hs_call_fetch(call, call->lent))
		return NULL;
	call->lent_filled = true;
	return call->lent;
}

void hs_call_copy_out(struct hs_exec *x, struct hs_call *call)
{
	memcpy(call->data, call->block + hs_call_place(x, call), hs_call_bytes(call));
}

/* Past the end of the origin, up to the end of the unit, a slot holds zeroes. */
static void hs_call_pad(struct hs_exec *x, struct hs_call *call)
{
	u32 end = hs_call_place(x, call) + hs_call_bytes(call);

	if (call->req.sector.nr + call->req.sectors == hs_core_geometry(x->core)->origin_sectors)
		memset(call->block + end, 0, hs_round_up(end, HS_UNIT_BYTES) - end);
}

int hs_call_overlay(struct hs_exec *x, struct hs_call *call)
{
	u8 *to = call->block + hs_call_place(x, call);

	hs_call_pad(x, call);
	if (!call->lent_filled)
		return hs_call_fetch(call, to);
	memcpy(to, call->lent, hs_call_bytes(call));
	return 0;
}
