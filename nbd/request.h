/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* nbdkit's callbacks for a connection and its requests; see nbdkit-plugin(3). */
#ifndef HS_REQUEST_H
#define HS_REQUEST_H

#include <stdint.h>

void *hs_request_open(int readonly);
int64_t hs_request_size(void *handle);
int hs_request_block_size(void *handle, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum);

int hs_request_can_write(void *handle);
int hs_request_can_fua(void *handle);
int hs_request_can_cache(void *handle);
int hs_request_can_yes(void *handle);
int hs_request_can_no(void *handle);

int hs_request_pread(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags);
int hs_request_pwrite(void *handle, const void *buf, uint32_t count, uint64_t offset,
		      uint32_t flags);
int hs_request_flush(void *handle, uint32_t flags);
int hs_request_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags);
int hs_request_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags);

#endif
