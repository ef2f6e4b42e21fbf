// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Format: nothing takes the device for a cache until it is one.
 *
 *	wipe both superblocks and confirm records -> FLUSH -> empty units, both copies -> FLUSH
 *	-> both superblocks -> FLUSH
 */
#include "core/internal.h"

enum { J_WIPE, J_WIPED, J_UNITS, J_UNITS_FLUSHED, J_SB, J_SB_FLUSHED, J_DONE };

#define J_RUN_UNITS	(HS_FORMAT_BUFFER / HS_PAGE)

static enum hs_step_result hs_format_flush(struct hs_format_job *job, u32 then)
{
	job->req.nr_io = 0;
	hs_io_flush(&job->req, HS_CACHE);
	job->state = then;
	return HS_IO;
}

static enum hs_step_result hs_format_wipe(struct hs_format_job *job)
{
	u32 i;

	memset(job->buffer, 0, 2 * HS_PAGE);
	job->req.nr_io = 0;
	/* A superblock and the confirm record behind it, twice. */
	for (i = 0; i < 2; i++)
		hs_io_page(&job->req, HS_IO_WRITE, HS_SB_OFFSET(i), job->buffer, 2 * HS_PAGE);
	job->state = J_WIPED;
	return HS_IO;
}

static enum hs_step_result hs_format_units(struct hs_format_job *job)
{
	const struct hs_geometry *geo = &job->sb.geo;
	struct hs_unit_info info = { .copy = job->copy };
	u32 run = (u32)hs_min(J_RUN_UNITS, geo->table_units - job->unit), i;

	memset(job->buffer, 0, (size_t)run * HS_PAGE);
	for (i = 0; i < run; i++) {
		info.index = job->unit + i;
		hs_unit_seal(job->buffer + (size_t)i * HS_PAGE, &job->sb, &info);
	}
	job->req.nr_io = 0;
	hs_io_page(&job->req, HS_IO_WRITE,
		   geo->table_offset[job->copy] + (u64)job->unit * HS_PAGE, job->buffer,
		   run * HS_PAGE);
	job->unit += run;
	if (job->unit == geo->table_units) {
		job->unit = 0;
		job->copy++;
	}
	job->state = job->copy < 2 ? J_UNITS : J_UNITS_FLUSHED;
	return HS_IO;
}

static enum hs_step_result hs_format_sb(struct hs_format_job *job)
{
	u32 i;

	job->req.nr_io = 0;
	for (i = 0; i < 2; i++) {
		u8 *page = job->buffer + (size_t)i * HS_PAGE;

		job->sb.sb_seq = 2 - i;		/* copy sb_seq & 1 */
		hs_sb_encode(&job->sb, page);
		hs_io_page(&job->req, HS_IO_WRITE, HS_SB_OFFSET(job->sb.sb_seq & 1), page, HS_PAGE);
	}
	job->state = J_SB_FLUSHED;
	return HS_IO;
}

enum hs_step_result hs_format_step(struct hs_format_job *job)
{
	job->req.error = hs_io_error(&job->req);
	if (job->req.error)
		return HS_DONE;
	switch (job->state) {
	case J_WIPE:
		return hs_format_wipe(job);
	case J_WIPED:
		return hs_format_flush(job, J_UNITS);
	case J_UNITS:
		return hs_format_units(job);
	case J_UNITS_FLUSHED:
		return hs_format_flush(job, J_SB);
	case J_SB:
		return hs_format_sb(job);
	case J_SB_FLUSHED:
		return hs_format_flush(job, J_DONE);
	default:
		return HS_DONE;
	}
}

void hs_format_start(struct hs_format_job *job, const struct hs_sb *sb, u8 *buffer)
{
	memset(job, 0, sizeof(*job));
	job->sb = *sb;
	job->sb.version = HS_VERSION;
	job->sb.state = 0;
	job->sb.incarnation = 1;
	job->sb.inc_seq = 1;
	memset(&job->sb.tail, 0, sizeof(job->sb.tail));
	job->sb.tail.seq = 1;
	job->sb.end = job->sb.tail;
	job->buffer = buffer;
	job->req.io = job->req.ios;
	job->req.domain = HS_DOMAIN_NONE;
	job->state = J_WIPE;
}
