/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Aligned buffers of one size, kept for the next user. Any thread. */
#ifndef HS_ENGINE_POOL_H
#define HS_ENGINE_POOL_H

#include <stddef.h>

#include "engine/mutex.h"

#define HS_BUFFER_ALIGN		4096u	/* bytes: what O_DIRECT wants at most */

struct hs_pool {
	struct hs_mutex lock;
	struct hs_spare *spare;		/* linked through the buffers themselves */
	unsigned int nr_spare, max_spare;
	size_t bytes;
};

void hs_pool_init(struct hs_pool *pool, size_t bytes, unsigned int max_spare);
void hs_pool_destroy(struct hs_pool *pool);	/* those handed out stay valid: hs_buffer_free */
void *hs_pool_get(struct hs_pool *pool);	/* NULL: no memory */
void hs_pool_put(struct hs_pool *pool, void *buffer);	/* NULL: nothing */

void *hs_buffer_new(size_t bytes);
void hs_buffer_free(void *buffer);

#endif
