// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A plugin for QEMU: how often each piece of the guest's code ran.
 *
 *	-plugin profile.so,out=FILE	lines "ADDRESS INSTRUCTIONS TIMES", one a piece without a branch
 *
 * Debian has no package of qemu-plugin.h; what is used of it is declared here.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *ptr, uint64_t imm);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, void *), void *arg);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;
__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
								char **argv);

#define BUCKETS		(1u << 16)
#define INLINE_ADD	0

struct piece {
	struct piece *next;
	uint64_t address, instructions, times;
};

static struct piece *table[BUCKETS];
static FILE *out;

/* The same code is translated anew now and then. */
static struct piece *piece_of(uint64_t address, uint64_t instructions)
{
	struct piece **at = &table[(address * 0x9e3779b97f4a7c15ull) >> 48];

	for (; *at; at = &(*at)->next)
		if ((*at)->address == address && (*at)->instructions == instructions)
			return *at;
	*at = calloc(1, sizeof(**at));
	if (!*at)
		abort();
	(*at)->address = address;
	(*at)->instructions = instructions;
	return *at;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct piece *piece = piece_of(qemu_plugin_tb_vaddr(tb), qemu_plugin_tb_n_insns(tb));

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD, &piece->times, 1);
}

static void ends(qemu_plugin_id_t id, void *arg)
{
	uint32_t i;

	(void)id;
	(void)arg;
	for (i = 0; i < BUCKETS; i++)
		for (struct piece *p = table[i]; p; p = p->next)
			fprintf(out, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", p->address, p->instructions, p->times);
	fclose(out);
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4) || !(out = fopen(argv[0] + 4, "w"))) {
		fprintf(stderr, "profile: give out=FILE, which can be written\n");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, ends, NULL);
	return 0;
}
