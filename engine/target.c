// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Opening what a name stands for; what needs no knowledge of the kind of target. */
#include <endian.h>
#include <stdlib.h>

#include "engine/target.h"

/* ---- open, close ----------------------------------------------------------------------------- */

static bool name_is_nbd(const char *name)
{
	static const char *const schemes[] = {
		"nbd://", "nbds://", "nbd+unix://", "nbds+unix://",
	};
	size_t i;

	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (!strncmp(name, schemes[i], strlen(schemes[i])))
			return true;
	}
	return false;
}

int hs_target_open(const char *name, unsigned int flags, struct hs_target **t, struct hs_error *err)
{
	*t = NULL;
	if (!name_is_nbd(name))
		return hs_file_open(name, flags, t, err);
	if (flags & HS_TARGET_CACHE)
		return hs_error_set(err, -EINVAL,
				    "%s: a cache device must be a file or a block device", name);
	return hs_nbd_open(name, flags, t, err);
}

void hs_target_close(struct hs_target *t)
{
	if (t)
		t->ops->close(t);
}

/* ---- fingerprint ----------------------------------------------------------------------------- */

#define FP_END		(128u * 1024u)
#define FP_REGION	(64u * 1024u)
#define FP_REGIONS	12u

/* One-to-one in fp for a given word, and in word for a given fp: one changed word always shows. */
static uint64_t fp_mix(uint64_t fp, uint64_t word)
{
	fp = (fp ^ word) * 0x9e3779b97f4a7c15u;
	return fp ^ fp >> 29;
}

static int fp_region(struct hs_target *t, uint64_t *fp, uint8_t *buf, size_t count, uint64_t offset)
{
	size_t i;
	uint64_t word;
	int ret;

	ret = t->ops->pread(t, buf, count, offset);
	if (ret)
		return ret;

	for (i = 0; i < count; i += sizeof(word)) {
		memcpy(&word, buf + i, sizeof(word));
		*fp = fp_mix(*fp, le64toh(word));
	}
	return 0;
}

static int fp_regions(struct hs_target *t, uint64_t *fp, uint8_t *buf)
{
	/* Between the two ends, the regions' starts; both ends of the span included. */
	uint64_t span = t->size - 2 * FP_END - FP_REGION;
	unsigned int i;
	int ret;

	ret = fp_region(t, fp, buf, FP_END, 0);
	for (i = 0; i < FP_REGIONS && !ret; i++)
		ret = fp_region(t, fp, buf, FP_REGION,
				FP_END + (span / (FP_REGIONS - 1) * i & ~(uint64_t)4095));
	return ret ? ret : fp_region(t, fp, buf, FP_END, (t->size - FP_END) & ~(uint64_t)511);
}

static int fp_whole(struct hs_target *t, uint64_t *fp, uint8_t *buf)
{
	uint64_t at, count;
	int ret = 0;

	for (at = 0; at < t->size && !ret; at += count) {
		count = hs_min(t->size - at, FP_END);
		ret = fp_region(t, fp, buf, count, at);
	}
	return ret;
}

int hs_target_fingerprint(struct hs_target *t, uint64_t *fingerprint)
{
	uint64_t fp = fp_mix(0, t->size);
	uint8_t *buf;
	int ret;

	buf = aligned_alloc(4096, FP_END);
	if (!buf)
		return -ENOMEM;

	if (t->size <= 2 * FP_END + FP_REGIONS * FP_REGION)
		ret = fp_whole(t, &fp, buf);
	else
		ret = fp_regions(t, &fp, buf);
	free(buf);
	if (!ret)
		*fingerprint = fp;
	return ret;
}

/* ---- zeroes ---------------------------------------------------------------------------------- */

#define ZEROES_MAX	(1024u * 1024u)

int hs_target_write_zeroes(struct hs_target *t, uint64_t count, uint64_t offset, bool fua)
{
	/* Never written, so it costs no memory: the kernel maps its zero page. */
	static uint8_t zeroes[ZEROES_MAX] __attribute__((aligned(4096)));
	uint64_t n;
	int ret = 0;

	for (; count && !ret; offset += n, count -= n) {
		n = hs_min(count, ZEROES_MAX);
		ret = t->ops->pwrite(t, zeroes, n, offset, fua);
	}
	return ret;
}
