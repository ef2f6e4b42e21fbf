/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one place in core/ that knows which world it is compiled for. Everything else sees: u8 to u64,
 * bool, mem*, errno, hs_assert, hs_peek/hs_poke, hs_crc32c.
 */
#ifndef HS_PLATFORM_H
#define HS_PLATFORM_H

#ifdef __KERNEL__

#include <asm/barrier.h>
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>

#define hs_peek(x)		smp_load_acquire(&(x))
#define hs_poke(x, v)		smp_store_release(&(x), (v))
#define hs_barrier()		smp_mb()

#else

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define hs_peek(x)		__atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define hs_poke(x, v)		__atomic_store_n(&(x), (v), __ATOMIC_RELEASE)
#define hs_barrier()		__atomic_thread_fence(__ATOMIC_SEQ_CST)

#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define fallthrough		__attribute__((__fallthrough__))
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

#endif

/*
 * hs_peek and hs_poke read (acquire) and write (release) a word that is written in one domain and read in
 * others: who sees the new value also sees what was written before it. A reader may see an old value for a
 * while; where that matters a comment says why it is harmless. hs_barrier keeps a poke before a later peek of
 * another word.
 */

/* Given by the shell. */
u32 hs_crc32c(u32 crc, const void *data, size_t bytes);	/* Castagnoli, without final inversion */
#ifdef __KERNEL__
#define hs_assert(expr)		BUG_ON(!(expr))
#else
void hs_assert_failed(const char *file, int line, const char *expr) __attribute__((noreturn));
#define hs_assert(expr) \
	do { \
		if (unlikely(!(expr))) \
			hs_assert_failed(__FILE__, __LINE__, #expr); \
	} while (0)
#endif

#define hs_always_inline	inline __attribute__((__always_inline__))
#define hs_noinline		__attribute__((__noinline__))

#define HS_KIB			1024u
#define HS_MIB			(1024u * HS_KIB)
#define HS_SECTOR_SHIFT		9

/* To and from little endian. */
static inline u64 hs_le64(u64 v)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap64(v);
}

static inline u64 hs_min(u64 a, u64 b)
{
	return a < b ? a : b;
}

static inline u64 hs_max(u64 a, u64 b)
{
	return a > b ? a : b;
}

static inline u64 hs_round_up(u64 x, u64 to)	/* to: a power of two */
{
	return (x + to - 1) & ~(to - 1);
}

#endif
