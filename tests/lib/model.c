// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/model.h"

#define WORDS	(SECTOR / 8)
#define GARBAGE	(~0u)

void model_init(struct model *m, uint64_t sectors)
{
	uint64_t i;

	m->sectors = sectors;
	m->stamp = 2;
	m->sector = calloc(sectors, sizeof(*m->sector));
	if (!m->sector)
		abort();
	for (i = 0; i < sectors; i++)
		m->sector[i] = (struct model_sector){ .now = 1, .flushed = 1, .floor = 1 };
}

void model_destroy(struct model *m)
{
	free(m->sector);
	m->sector = NULL;
}

uint32_t model_stamp(struct model *m)
{
	return __atomic_fetch_add(&m->stamp, 1, __ATOMIC_RELAXED);
}

/* ---- content --------------------------------------------------------------------------------- */

void model_fill(uint64_t sector, uint32_t stamp, uint8_t *data)
{
	uint64_t word[WORDS], mix = (sector ^ (uint64_t)stamp << 40) * 0x9e3779b97f4a7c15ull;
	unsigned int i;

	if (!stamp) {
		memset(data, 0, SECTOR);
		return;
	}
	word[0] = sector;
	word[1] = stamp;
	for (i = 2; i < WORDS; i++)
		word[i] = mix ^ (mix >> 29) * i;
	memcpy(data, word, SECTOR);
}

void model_fill_first(void *arg, uint64_t sector, uint8_t *data)
{
	(void)arg;
	model_fill(sector, 1, data);
}

/* The stamp whose content this is, or GARBAGE. */
static uint32_t model_read(uint64_t sector, const uint8_t *data)
{
	uint8_t want[SECTOR];
	uint64_t stamp;

	memcpy(&stamp, data + 8, 8);
	if (stamp >= GARBAGE)
		return GARBAGE;
	model_fill(sector, (uint32_t)stamp, want);
	return memcmp(data, want, SECTOR) ? GARBAGE : (uint32_t)stamp;
}

/* ---- events ---------------------------------------------------------------------------------- */

void model_wrote(struct model *m, uint64_t sector, uint64_t sectors, uint32_t stamp)
{
	struct model_sector *s = &m->sector[sector], *end = s + sectors;

	for (; s < end; s++) {
		s->now = stamp;
		s->loose = 0;
		s->zero_since |= !stamp;
	}
}

void model_discarded(struct model *m, uint64_t sector, uint64_t sectors)
{
	struct model_sector *s = &m->sector[sector], *end = s + sectors;

	for (; s < end; s++) {
		s->loose = 1;
		s->loose_since = 1;
	}
}

void model_flushed(struct model *m, uint64_t sector, uint64_t sectors)
{
	struct model_sector *s = &m->sector[sector], *end = s + sectors;
	uint32_t floor = __atomic_load_n(&m->stamp, __ATOMIC_RELAXED) - 1;

	for (; s < end; s++) {
		s->flushed = s->now;
		s->floor = floor;
		s->loose_since = s->loose;
		s->zero_since = 0;
	}
}

/* ---- checks ---------------------------------------------------------------------------------- */

static bool model_allows(const struct model *m, const struct model_sector *s, uint32_t stamp,
			 bool crashed)
{
	uint32_t next = __atomic_load_n(&m->stamp, __ATOMIC_RELAXED);

	if (stamp == GARBAGE)
		return false;
	if (stamp == s->now)
		return true;
	if (s->loose || (crashed && s->loose_since))
		return stamp < next;
	if (!crashed)
		return false;
	return stamp == s->flushed || (!stamp && s->zero_since) ||
	       (stamp > s->floor && stamp < next);
}

static const char *model_complain(const struct model_sector *s, uint64_t sector, uint32_t stamp,
				  const uint8_t *data)
{
	static __thread char why[256];
	uint64_t word[2];

	memcpy(word, data, sizeof(word));
	snprintf(why, sizeof(why),
		 "sector %llu reads as %s %u (words %llx %llx), want %u, flushed %u floor %u%s%s%s",
		 (unsigned long long)sector, stamp == GARBAGE ? "garbage" : "stamp", stamp,
		 (unsigned long long)word[0], (unsigned long long)word[1], s->now, s->flushed,
		 s->floor, s->loose ? " loose" : "", s->loose_since ? " loose-since" : "",
		 s->zero_since ? " zero-since" : "");
	return why;
}

const char *model_check(const struct model *m, uint64_t sector, uint64_t sectors,
			const uint8_t *data)
{
	uint64_t i;

	for (i = 0; i < sectors; i++, data += SECTOR) {
		const struct model_sector *s = &m->sector[sector + i];
		uint32_t stamp = model_read(sector + i, data);

		if (!model_allows(m, s, stamp, false))
			return model_complain(s, sector + i, stamp, data);
	}
	return NULL;
}

const char *model_crashed(struct model *m, uint64_t sector, uint64_t sectors, const uint8_t *data)
{
	uint64_t i;

	for (i = 0; i < sectors; i++, data += SECTOR) {
		struct model_sector *s = &m->sector[sector + i];
		uint32_t stamp = model_read(sector + i, data);

		if (!model_allows(m, s, stamp, true))
			return model_complain(s, sector + i, stamp, data);
		s->loose = s->loose_since;
		s->now = stamp;
		s->flushed = stamp;
		s->floor = m->stamp - 1;
		s->zero_since = 0;
	}
	return NULL;
}
