/* SPDX-License-Identifier: MIT */
/* Layout of virtio-mmio registers and split queues (OASIS virtio 1.1, sections 4.2.2, 4.2.4
 * and 2.6). */
#ifndef KERNEL_DRIVERS_VIRTIO_MMIO_H
#define KERNEL_DRIVERS_VIRTIO_MMIO_H

#include "kernel/lib/types.h"

#define VMMIO_MAGIC               0x000
#define VMMIO_VERSION             0x004
#define VMMIO_DEVICE_ID           0x008
#define VMMIO_DEVICE_FEATURES     0x010
#define VMMIO_DEVICE_FEATURES_SEL 0x014
#define VMMIO_DRIVER_FEATURES     0x020
#define VMMIO_DRIVER_FEATURES_SEL 0x024
#define VMMIO_GUEST_PAGE_SIZE     0x028 /* version 1 */
#define VMMIO_QUEUE_SEL           0x030
#define VMMIO_QUEUE_NUM_MAX       0x034
#define VMMIO_QUEUE_NUM           0x038
#define VMMIO_QUEUE_ALIGN         0x03c /* version 1 */
#define VMMIO_QUEUE_PFN           0x040 /* version 1 */
#define VMMIO_QUEUE_READY         0x044 /* version 2 */
#define VMMIO_QUEUE_NOTIFY        0x050
#define VMMIO_INTERRUPT_STATUS    0x060
#define VMMIO_INTERRUPT_ACK       0x064
#define VMMIO_STATUS              0x070
#define VMMIO_QUEUE_DESC          0x080 /* version 2: low, high */
#define VMMIO_QUEUE_DRIVER        0x090
#define VMMIO_QUEUE_DEVICE        0x0a0
#define VMMIO_CONFIG              0x100

#define VMMIO_MAGIC_VALUE 0x74726976 /* "virt" */

#define VSTATUS_ACKNOWLEDGE 1
#define VSTATUS_DRIVER      2
#define VSTATUS_DRIVER_OK   4
#define VSTATUS_FEATURES_OK 8
#define VSTATUS_FAILED      128

#define VINT_USED   1
#define VINT_CONFIG 2

#define VDESC_NEXT  1
#define VDESC_WRITE 2

struct virtq_desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

struct virtq_avail {
	u16 flags;
	u16 idx;
	u16 ring[];
};

struct virtq_used_elem {
	u32 id;
	u32 len;
};

struct virtq_used {
	u16 flags;
	u16 idx;
	struct virtq_used_elem ring[];
};

#define VUSED_NO_NOTIFY 1

#endif
