/* SPDX-License-Identifier: MIT */
/* Whose a byte of a machine's memory is. */
#ifndef OWNERS_H
#define OWNERS_H

#include <mmkit/hosted.h>

#define OWNER_NAME 64

/* Watch the machine's RAM, then the mapping of a file: the offsets that owner_name knows. */
void owners_watch(struct mmk_system *sys, const struct mmk_mapping *mapping);
/* "object: field" of the byte at the recorder's offset, as things are now. */
void owner_name(struct mmk_system *sys, uint64_t offset, char name[OWNER_NAME]);

#endif
