// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdlib.h>

#include "engine/pool.h"

struct hs_spare {
	struct hs_spare *next;
};

void *hs_buffer_new(size_t bytes)
{
	size_t rounded = (bytes + HS_BUFFER_ALIGN - 1) & ~(size_t)(HS_BUFFER_ALIGN - 1);

	return aligned_alloc(HS_BUFFER_ALIGN, rounded);
}

void hs_buffer_free(void *buffer)
{
	free(buffer);
}

void hs_pool_init(struct hs_pool *pool, size_t bytes, unsigned int max_spare)
{
	memset(&pool->lock, 0, sizeof(pool->lock));
	pool->spare = NULL;
	pool->nr_spare = 0;
	pool->max_spare = max_spare;
	pool->bytes = bytes;
}

void hs_pool_destroy(struct hs_pool *pool)
{
	while (pool->spare) {
		struct hs_spare *spare = pool->spare;

		pool->spare = spare->next;
		hs_buffer_free(spare);
	}
}

void *hs_pool_get(struct hs_pool *pool)
{
	struct hs_spare *spare;

	hs_mutex_lock(&pool->lock);
	spare = pool->spare;
	if (spare) {
		pool->spare = spare->next;
		pool->nr_spare--;
	}
	hs_mutex_unlock(&pool->lock);
	return spare ? (void *)spare : hs_buffer_new(pool->bytes);
}

void hs_pool_put(struct hs_pool *pool, void *buffer)
{
	struct hs_spare *spare = buffer;

	if (!spare)
		return;
	hs_mutex_lock(&pool->lock);
	if (pool->nr_spare < pool->max_spare) {
		spare->next = pool->spare;
		pool->spare = spare;
		pool->nr_spare++;
		spare = NULL;
	}
	hs_mutex_unlock(&pool->lock);
	hs_buffer_free(spare);
}
