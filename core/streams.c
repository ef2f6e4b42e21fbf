// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Recognises sequential streams: a request that begins where a recent one ended continues its stream. Sixteen
 * streams are followed at a time, the least recently continued gives way.
 */
#include "core/core.h"

bool hs_streams_note(struct hs_streams *s, u64 sector, u64 sectors, u64 cutoff)
{
	u32 i, oldest = 0;

	s->clock++;
	for (i = 0; i < HS_STREAMS; i++) {
		if (s->stream[i].used && s->stream[i].next == sector)
			break;
		if (s->stream[i].used < s->stream[oldest].used)
			oldest = i;
	}
	if (i == HS_STREAMS) {
		i = oldest;
		s->stream[i].sectors = 0;
	}
	s->stream[i].next = sector + sectors;
	s->stream[i].sectors += sectors;
	s->stream[i].used = s->clock;
	return cutoff && s->stream[i].sectors > cutoff;
}
