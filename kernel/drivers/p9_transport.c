/* SPDX-License-Identifier: MIT */
/*
 * 9P over virtio: a request is one chain of descriptors, out then in. Whoever asks sleeps until its
 * own answer is there; a full queue makes callers wait for room.
 */
#include "kernel/drivers/p9_transport.h"
#include "kernel/drivers/virtio.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/percpu.h"
#include "kernel/sched/wait.h"

#define P9_F_MOUNT_TAG 1ull
#define P9_TAG_MAX     255

struct p9_virtio {
	struct p9_virtio *next;
	struct virtq *vq;
	struct wait_queue room;
	struct spinlock lock;
	char tag[P9_TAG_MAX + 1];
};

/* Lies on the caller's stack. */
struct p9_waiter {
	struct p9_virtio *chan;
	struct wait_queue wq;
	u32 len;
	bool done; /* chan->lock */
};

static struct p9_virtio *channels; /* filled at boot, then only read */

/* The waiter may go as soon as it sees done, but takes the lock first: so it outlives the wake-up.
 */
static void p9_complete(void *cookie, u32 len)
{
	struct p9_waiter *w = cookie;
	struct spinlock *lock = &w->chan->lock;
	unsigned long flags = spin_lock_irqsave(lock);

	w->len = len;
	WRITE_ONCE(w->done, true);
	wake_up(&w->wq);
	spin_unlock_irqrestore(lock, flags);
}

static void p9_room(struct virtq *vq)
{
	struct p9_virtio *chan = vq->priv;

	wake_up_all(&chan->room);
}

static void wait_answer(struct p9_waiter *w)
{
	unsigned long flags;

	if (drivers_may_sleep)
		wait_event(&w->wq, READ_ONCE(w->done));
	else
		while (!READ_ONCE(w->done)) {
			virtq_poll(w->chan->vq);
			cpu_relax();
		}
	flags = spin_lock_irqsave(&w->chan->lock);
	spin_unlock_irqrestore(&w->chan->lock, flags);
}

static void wait_room(struct p9_virtio *chan, u32 need)
{
	if (drivers_may_sleep)
		wait_event(&chan->room, READ_ONCE(chan->vq->nr_free) >= need);
	else
		virtq_poll(chan->vq);
}

/* @first, then @n more: the stretches of one direction, from @to on. */
static struct sg *gather(struct sg *to, void *first, size_t len, const struct sg *more, u32 n)
{
	*to++ = (struct sg){first, len};
	while (n--)
		*to++ = *more++;
	return to;
}

int p9_virtio_request(struct p9_virtio *chan, const void *tx, size_t txlen, void *rx, size_t rxmax,
                      const struct sg *out, u32 nout, const struct sg *in, u32 nin, size_t *rxlen)
{
	struct p9_waiter w = {.chan = chan};
	struct sg all[P9_MAX_SG + 2], *answer;
	int err;

	if (nout > P9_MAX_SG || nin > P9_MAX_SG || nout + nin > P9_MAX_SG ||
	    nout + nin + 2 > chan->vq->size)
		return -EINVAL;
	wait_queue_init(&w.wq);
	answer = gather(all, (void *)tx, txlen, out, nout);
	gather(answer, rx, rxmax, in, nin);
	while ((err = virtq_submit(chan->vq, all, nout + 1, answer, nin + 1, &w)) == -ENOSPC)
		wait_room(chan, nout + nin + 2);
	if (err)
		return err;
	wait_answer(&w);
	*rxlen = w.len;
	return 0;
}

struct p9_virtio *p9_virtio_find(const char *tag)
{
	struct p9_virtio *c;

	for (c = channels; c; c = c->next)
		if (!strcmp(c->tag, tag))
			return c;
	return NULL;
}

/* Configuration: u16 length of the tag, the tag. */
static int read_tag(struct virtio_dev *dev, char *tag)
{
	u32 i, len = virtio_config16(dev, 0);

	if (!len || len > P9_TAG_MAX)
		return -EINVAL;
	for (i = 0; i < len; i++)
		tag[i] = (char)virtio_config8(dev, 2 + i);
	tag[len] = 0;
	return 0;
}

static int start_channel(struct virtio_dev *dev, struct p9_virtio *chan)
{
	int err = virtio_negotiate(dev, P9_F_MOUNT_TAG);

	if (err)
		return err;
	if (!(dev->features & P9_F_MOUNT_TAG))
		return -ENODEV;
	err = read_tag(dev, chan->tag);
	if (err)
		return err;
	wait_queue_init(&chan->room);
	chan->vq = virtio_add_queue(dev, 0, p9_complete);
	if (!chan->vq)
		return -ENOMEM;
	chan->vq->priv = chan;
	chan->vq->room = p9_room;
	return 0;
}

int virtio_9p_probe(struct virtio_dev *dev)
{
	struct p9_virtio *chan = kzalloc(sizeof(*chan)), **end = &channels;
	int err;

	if (!chan)
		return -ENOMEM;
	err = start_channel(dev, chan);
	if (err) {
		kfree(chan);
		return err;
	}
	while (*end)
		end = &(*end)->next;
	*end = chan;
	virtio_start(dev);
	return 0;
}
