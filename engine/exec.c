// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <sys/mman.h>

#include "engine/call.h"
#include "engine/exec.h"

#define HS_SPARE_BLOCK_BYTES	(16 * HS_MIB)	/* block buffers kept for the next user */
#define HS_SPARE_MERGES		4u

void hs_exec_init(struct hs_exec *x)
{
	memset(x, 0, sizeof(*x));
	hs_pool_init(&x->merges, HS_MERGE_BYTES, HS_SPARE_MERGES);
	hs_pool_init(&x->blocks, HS_BUFFER_ALIGN, 0);
}

int hs_exec_attach(struct hs_exec *x, const struct hs_sb *sb, const struct hs_core_opts *opts)
{
	size_t bytes = hs_core_size(&sb->geo, opts);
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		return -ENOMEM;
	/* A lookup touches a few lines anywhere in the map: huge pages spare most TLB misses. */
	madvise(mem, bytes, MADV_HUGEPAGE);
	x->mem = mem;
	x->mem_bytes = bytes;
	x->core = hs_core_init(mem, sb, opts);
	x->block_bytes = hs_block_bytes(&sb->geo);
	x->csum_bytes = hs_req_csum_bytes(x->core);
	x->blocks.bytes = x->block_bytes;
	x->blocks.max_spare = HS_SPARE_BLOCK_BYTES / x->block_bytes;
	return 0;
}

void hs_exec_detach(struct hs_exec *x)
{
	if (x->mem)
		munmap(x->mem, x->mem_bytes);
	x->mem = NULL;
	x->mem_bytes = 0;
	x->core = NULL;
}

void hs_exec_destroy(struct hs_exec *x)
{
	while (x->spare) {
		struct hs_call *call = x->spare;

		x->spare = call->next;
		hs_call_free(call);
	}
	hs_pool_destroy(&x->blocks);
	hs_pool_destroy(&x->merges);
	hs_exec_detach(x);
}

int hs_exec_alone(struct hs_exec *x, struct hs_req *req)
{
	struct hs_list one;

	hs_list_init(&one);
	for (;;) {
		struct hs_out out;
		enum hs_step_result ret;

		hs_out_init(&out);
		ret = hs_step(x->core, req, &out);
		hs_assert(ret != HS_WAIT && hs_list_empty(&out.run));
		if (ret == HS_DONE)
			return req->error;
		if (ret != HS_IO)
			continue;
		hs_list_add_tail(&one, &req->link);
		hs_perform(x, &one);
		hs_list_del(&req->link);
	}
}
