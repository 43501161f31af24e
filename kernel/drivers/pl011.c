/* SPDX-License-Identifier: MIT */
/*
 * PL011 (Arm DDI 0183). Output is polled: the FIFO empties faster than we fill it. Input comes by
 * interrupt. The line speed is what the firmware chose.
 */
#include "kernel/arch/io.h"
#include "kernel/arch/memory.h"
#include "kernel/drivers/dt.h"
#include "kernel/drivers/pl011.h"
#include "kernel/irq.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"

#define UARTDR    0x00
#define UARTFR    0x18
#define UARTLCR_H 0x2c
#define UARTCR    0x30
#define UARTIMSC  0x38
#define UARTICR   0x44

#define FR_RXFE     (1 << 4)
#define FR_TXFF     (1 << 5)
#define LCR_H_FEN   (1 << 4)
#define LCR_H_8BITS (3 << 5)
#define CR_UARTEN   (1 << 0)
#define CR_TXE      (1 << 8)
#define CR_RXE      (1 << 9)
#define INT_RX      (1 << 4)
#define INT_RT      (1 << 6) /* bytes have lain in the FIFO for a while */
#define DR_ERRORS   0xf00

static char __iomem *regs;
static int uart_node = -1;
static void (*rx_fn)(u8);

/* stdout-path is a path or an alias, with options behind a colon. */
static int stdout_node(void)
{
	int chosen = dt_path("/chosen"), node, n = -1;
	const char *path = chosen < 0 ? NULL : dt_string(chosen, "stdout-path");
	char name[128];

	if (path && strlcpy(name, path, sizeof(name)) < sizeof(name)) {
		*strchrnul(name, ':') = 0;
		n = dt_path(name);
	}
	node = dt_next_compatible(-1, "arm,pl011");
	for (; n >= 0 && node >= 0; node = dt_next_compatible(node, "arm,pl011"))
		if (node == n)
			return node;
	return dt_next_compatible(-1, "arm,pl011");
}

void pl011_early_init(void)
{
	u64 base, size;

	uart_node = stdout_node();
	if (uart_node < 0 || !dt_reg(uart_node, 0, &base, &size))
		return;
	regs = ioremap(base, size);
	if (!regs)
		return;
	if (!(readl(regs + UARTCR) & CR_UARTEN))
		writel(LCR_H_8BITS | LCR_H_FEN, regs + UARTLCR_H);
	writel(CR_UARTEN | CR_TXE | CR_RXE, regs + UARTCR);
	log_set_sink(pl011_putc);
}

void pl011_putc(char c)
{
	if (!regs)
		return;
	while (readl(regs + UARTFR) & FR_TXFF)
		;
	writel((u8)c, regs + UARTDR);
}

void pl011_write(const char *s, size_t n)
{
	while (n--)
		pl011_putc(*s++);
}

static void pl011_interrupt(void *arg)
{
	writel(INT_RX | INT_RT, regs + UARTICR);
	while (!(readl(regs + UARTFR) & FR_RXFE)) {
		u32 v = readl(regs + UARTDR);

		if (!(v & DR_ERRORS) && rx_fn)
			rx_fn((u8)v);
	}
}

void pl011_init_irq(void)
{
	u32 intid;
	int err;

	if (!regs)
		return;
	if (!dt_irq(uart_node, 0, &intid)) {
		pr_warn("pl011: no interrupt\n");
		return;
	}
	err = irq_request(intid, pl011_interrupt, NULL);
	if (err)
		pr_warn("pl011: interrupt %u: error %d\n", intid, -err);
}

/* Bytes stay in the FIFO until there is somebody to take them. */
void pl011_set_rx(void (*fn)(u8))
{
	rx_fn = fn;
	if (regs)
		writel(fn ? INT_RX | INT_RT : 0, regs + UARTIMSC);
}
