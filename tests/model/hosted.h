/* SPDX-License-Identifier: MIT */
/* The parts of the back end that is mmkit. */
#ifndef MODEL_HOSTED_H
#define MODEL_HOSTED_H

#include <mmkit/hosted.h>
#include "tests/model/model.h"

/* hosted.c */
extern struct hosted *machine;
struct mmk_task *current_task(void);
/* Says so and ends the program. */
void broken(const char *what) __attribute__((noreturn));
/* A call as it is, all checked afterwards. CALL_FORK leaves the child on top of the stack. */
long plain_call(const struct call *c, uint8_t *byte);

/* inject.c */
/* The call, with failures as be_inject asked for. */
long inject_call(const struct call *c, uint8_t *byte);

#endif
