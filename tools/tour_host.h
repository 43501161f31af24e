/* SPDX-License-Identifier: MIT */
/* The host's part of the tour: makes the files, runs the guest's part, judges what it left. */
#ifndef MMKIT_TOOLS_TOUR_HOST_H
#define MMKIT_TOOLS_TOUR_HOST_H

#include "run.h"

int tour_run(struct run_config *cfg);

#endif
