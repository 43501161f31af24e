/* SPDX-License-Identifier: MIT */
/*
 * Random numbers: ChaCha20 (RFC 8439) as a generator with fast key erasure - each call makes a
 * block with the key, takes the first half of it as the next key, and gives out the rest. Seeded
 * from virtio-rng, the boot loader's seed and the counter.
 */
#include "kernel/clock.h"
#include "kernel/drivers/dt.h"
#include "kernel/drivers/virtio.h"
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

static struct spinlock rng_lock = SPINLOCK_INIT;
static u32 rng_key[8];  /* rng_lock */
static u64 rng_counter; /* rng_lock */

static u32 rotl(u32 v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static void quarter(u32 *s, unsigned a, unsigned b, unsigned c, unsigned d)
{
	s[a] += s[b];
	s[d] = rotl(s[d] ^ s[a], 16);
	s[c] += s[d];
	s[b] = rotl(s[b] ^ s[c], 12);
	s[a] += s[b];
	s[d] = rotl(s[d] ^ s[a], 8);
	s[c] += s[d];
	s[b] = rotl(s[b] ^ s[c], 7);
}

static void chacha_block(const u32 key[8], u64 counter, u32 out[16])
{
	u32 in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
	unsigned i;

	memcpy(&in[4], key, 32);
	in[12] = (u32)counter;
	in[13] = (u32)(counter >> 32);
	in[14] = in[15] = 0;
	memcpy(out, in, sizeof(in));
	for (i = 0; i < 10; i++) {
		quarter(out, 0, 4, 8, 12);
		quarter(out, 1, 5, 9, 13);
		quarter(out, 2, 6, 10, 14);
		quarter(out, 3, 7, 11, 15);
		quarter(out, 0, 5, 10, 15);
		quarter(out, 1, 6, 11, 12);
		quarter(out, 2, 7, 8, 13);
		quarter(out, 3, 4, 9, 14);
	}
	for (i = 0; i < 16; i++)
		out[i] += in[i];
}

/* A key of the caller's own, the generator's has moved on. */
static void fork_key(u32 key[8])
{
	unsigned long flags = spin_lock_irqsave(&rng_lock);
	u32 block[16];

	chacha_block(rng_key, rng_counter++, block);
	memcpy(rng_key, block, 32);
	memcpy(key, block + 8, 32);
	spin_unlock_irqrestore(&rng_lock, flags);
	memset(block, 0, sizeof(block));
}

static void mix(const void *data, size_t n)
{
	const u8 *p = data;
	u8 *key = (u8 *)rng_key;
	unsigned long flags = spin_lock_irqsave(&rng_lock);
	u32 block[16];
	size_t i;

	for (i = 0; i < n; i++) {
		key[i % 32] ^= p[i];
		if (i % 32 == 31 || i + 1 == n) {
			chacha_block(rng_key, rng_counter++, block);
			memcpy(rng_key, block, 32);
		}
	}
	spin_unlock_irqrestore(&rng_lock, flags);
}

void random_bytes(void *buf, size_t n)
{
	u32 key[8], block[16];
	u64 counter = 0;
	u8 *out = buf;

	fork_key(key);
	while (n) {
		size_t k = min(n, sizeof(block));

		chacha_block(key, counter++, block);
		memcpy(out, block, k);
		out += k;
		n -= k;
	}
	memset(key, 0, sizeof(key));
	memset(block, 0, sizeof(block));
}

u64 random_u64(void)
{
	u64 v;

	random_bytes(&v, sizeof(v));
	return v;
}

int random_init(void)
{
	u8 seed[64];
	u64 now = clock_ns();

	mix(&now, sizeof(now));
	mix(&realtime_boot_ns, sizeof(realtime_boot_ns));
	mix(seed, dt_seed(seed, sizeof(seed)));
	mix(seed, virtio_rng_read(seed, sizeof(seed)));
	now = clock_ns();
	mix(&now, sizeof(now));
	memset(seed, 0, sizeof(seed));
	return 0;
}

#define GRND_NONBLOCK 1u
#define GRND_RANDOM   2u
#define GRND_INSECURE 4u

long sys_getrandom(u64 ubuf, u64 n, u64 flags)
{
	u8 chunk[256];
	u64 done = 0;

	if ((flags & ~(u64)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) ||
	    (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	n = min(n, (u64)0x7fffffff);
	while (done < n) {
		size_t k = min(n - done, (u64)sizeof(chunk));

		random_bytes(chunk, k);
		if (copy_to_user(ubuf + done, chunk, k))
			return done ? (long)done : -EFAULT;
		done += k;
		if (signal_pending(current) && done < n)
			break;
	}
	return done || !n ? (long)done : -EINTR;
}
