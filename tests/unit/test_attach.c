/* SPDX-License-Identifier: MIT */
/* Attachments, as System V shared memory has them: every VMA of a kind is told of and counted, and
 * what is left of one goes at once. Commitments of the embedder's own. */
#include "tests/unit/canvas.h"

static int attached, opened;

static void count_open(struct mmk_vma *vma)
{
	assert_ptr_equal(mmk_vma_private(vma), &attached);
	attached++;
	opened++;
}

static void count_close(struct mmk_vma *vma)
{
	assert_ptr_equal(mmk_vma_private(vma), &attached);
	attached--;
}

static const struct mmk_vm_ops attach_ops = {.open = count_open, .close = count_close};

static int attach_mmap(struct mmk_file *file, struct mmk_mmap_request *req)
{
	req->vm_ops = &attach_ops;
	req->private_data = &attached;
	attached++;
	return 0;
}

/* A descriptor of a kind of its own on an object of `pages` pages. */
static int special_file(struct world *w, const struct mmk_file_ops *ops, unsigned pages)
{
	int fd = host_file(w, "object", pages * PAGE, O_RDWR); /* keeps the object to the end */
	int own = hosted_open_special(w->h, ops, MMK_FMODE_READ | MMK_FMODE_WRITE);

	hosted_file(w->h, own)->f_mapping = hosted_file(w->h, fd)->f_mapping;
	return own;
}

/* An attachment of `pages` pages at a place of the canvas. */
static void attach(struct world *w, unsigned page, unsigned pages)
{
	static const struct mmk_file_ops ops = {.mmap = attach_mmap};
	int own = special_file(w, &ops, pages);

	must_mmap(w, at(page), pages * PAGE, RW, MMK_MAP_SHARED | FIXED, own, 0);
	hosted_close(w->h, own);
}

#define detach(w, page) CHECKED(w, mmk_vm_detach(&(w)->task, at(page), &attach_ops))

static void pieces_are_counted(void **state)
{
	struct world *w = *state;
	struct mmk_task child = {.pid = 2};

	attached = opened = 0;
	attach(w, 0, 4);
	assert_int_equal(attached, 1);
	assert_int_equal(w_munmap(w, at(1), PAGE), 0);
	assert_int_equal(attached, 2);
	assert_int_equal(w_fork(w, &child), 0);
	assert_int_equal(attached, 4);
	hosted_exit(w->h, &child);
	assert_int_equal(attached, 2);
	/* A kind with close is never swallowed by a neighbour. */
	assert_int_equal(w_mprotect(w, at(3), PAGE, R), 0);
	assert_int_equal(w_mprotect(w, at(3), PAGE, RW), 0);
	drawn(w, "A.BC");
	assert_int_equal(attached, 3);
	assert_int_equal(detach(w, 0), 0);
	drawn(w, "....");
	assert_int_equal(attached, 0);
}

static void detach_takes_what_is_in_its_place(void **state)
{
	struct world *w = *state;

	attached = 0;
	attach(w, 0, 3);
	put(w, 1, 1, RW);
	drawn(w, "ABC");
	refusal(w, detach(w, 1), MMK_EINVAL, MMK_REASON_NOT_ATTACHED);
	refusal(w, CHECKED(w, mmk_vm_detach(&w->task, at(0) + 1, &attach_ops)), MMK_EINVAL,
	        MMK_REASON_ADDR_UNALIGNED);
	assert_int_equal(detach(w, 0), 0);
	drawn(w, ".A.");
	assert_int_equal(attached, 0);
	refusal(w, detach(w, 0), MMK_EINVAL, MMK_REASON_NOT_ATTACHED);
}

static void moved_attachments_are_detached_where_they_are(void **state)
{
	struct world *w = *state;

	attached = 0;
	attach(w, 0, 2);
	assert_int_equal(
	    w_mremap(w, at(0), 2 * PAGE, 2 * PAGE, MMK_MREMAP_MAYMOVE | MMK_MREMAP_FIXED, at(4)),
	    at(4));
	assert_int_equal(attached, 1);
	assert_int_equal(detach(w, 4), 0);
	assert_int_equal(attached, 0);
}

static void commitments_count(void **state)
{
	struct world *w = *state;
	struct mmk_stats before, after;

	mmk_stats(w->sys, &before);
	assert_int_equal(CHECKED(w, mmk_commit(&w->task, 100)), 0);
	mmk_stats(w->sys, &after);
	assert_int_equal(after.committed, before.committed + 100);
	refusal(w, CHECKED(w, mmk_commit(&w->task, 1ul << 40)), MMK_ENOMEM, MMK_REASON_OVERCOMMIT);
	refusal(w, CHECKED(w, mmk_commit(&w->task, ~0ul)), MMK_ENOMEM, MMK_REASON_OVERCOMMIT);
	mmk_uncommit(w->sys, 100);
	mmk_stats(w->sys, &after);
	assert_int_equal(after.committed, before.committed);
}

static void secrets_are_for_their_mappings(void **state)
{
	static const struct mmk_file_ops ops = {.mmap = mmk_secret_mmap};
	struct world *w = *state;
	struct mmk_mm_stats s;
	int fd = special_file(w, &ops, 2);
	char byte = 1;

	refusal(w, w_mmap(w, at(0), PAGE, RW, MMK_MAP_PRIVATE | FIXED, fd, 0), MMK_EINVAL,
	        MMK_REASON_DRIVER);
	w->rlim[MMK_RLIMIT_MEMLOCK].cur = PAGE;
	refusal(w, w_mmap(w, at(0), 2 * PAGE, RW, MMK_MAP_SHARED | FIXED, fd, 0), MMK_EAGAIN,
	        MMK_REASON_MEMLOCK_LIMIT);
	w->rlim[MMK_RLIMIT_MEMLOCK].cur = 2 * PAGE;
	must_mmap(w, at(0), 2 * PAGE, RW, MMK_MAP_SHARED | FIXED, fd, 0);
	store(w, at(0), 7);
	assert_int_equal(mmk_access_vm(&w->task, w->task.mm, at(0), &byte, 1, MMK_ACCESS_FORCE), 0);
	assert_int_equal(byte, 1);
	assert_int_equal(w_munlock(w, at(0), PAGE), 0);
	drawn(w, "AA.");
	mmk_mm_stats(w->task.mm, &s);
	assert_int_equal(s.locked_vm, 2);
	refusal(w, w_mlock(w, at(0), PAGE), MMK_ENOMEM, MMK_REASON_POPULATE_FAULT);
	refusal(w, w_msync(w, at(0), PAGE, MMK_MS_SYNC), MMK_EINVAL, MMK_REASON_MSYNC_SECRET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(pieces_are_counted),
	    WORLD_TEST(detach_takes_what_is_in_its_place),
	    WORLD_TEST(moved_attachments_are_detached_where_they_are),
	    WORLD_TEST(commitments_count),
	    WORLD_TEST(secrets_are_for_their_mappings),
	};

	return cmocka_run_group_tests_name("attach", tests, NULL, NULL);
}
