/* SPDX-License-Identifier: MIT */
/*
 * The contract of port.h as a list of checks, for any port: a row of `ports` is all that another
 * one needs to be put to the same test. Also the hosted machine's own promises about its
 * descriptors.
 */
#include <pthread.h>
#include <time.h>
#include "tests/unit/harness.h"

/* What the checks need to know of a port, beside its table. */
struct contract {
	const char *name;
	const struct mmk_port *port;
	void *ctx;
	unsigned nr_cpus;
	struct world *w; /* a program whose memory copy_to_user reaches */
	int fd;          /* an open file, file_byte() in each place, of FILE_SIZE bytes */
	const char *path_end;
};
#define FILE_SIZE (PAGE + 100)

/* ---- ports under test ---- */

static void begin_hosted(struct contract *c)
{
	struct hosted_config config = {.nr_cpus = 2};

	c->w = world_new(&config);
	c->name = "hosted";
	c->port = hosted_port(c->w->h);
	c->ctx = c->w->h;
	c->nr_cpus = config.nr_cpus;
	c->fd = host_file(c->w, "contract", FILE_SIZE, O_RDWR);
	c->path_end = "/contract";
}

static void end_hosted(struct contract *c)
{
	world_end(c->w);
}

static const struct {
	void (*begin)(struct contract *);
	void (*end)(struct contract *);
} ports[] = {{begin_hosted, end_hosted}};

static void on_each_port(void (*check)(struct contract *))
{
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		struct contract c = {0};

		ports[i].begin(&c);
		check(&c);
		ports[i].end(&c);
	}
}
#define ON_EACH_PORT(fn)                                                                           \
	static void fn(void **state)                                                               \
	{                                                                                          \
		on_each_port(check_##fn);                                                          \
	}

/* ---- the checklist ---- */

static void check_nothing_required_is_missing(struct contract *c)
{
	const struct mmk_port *p = c->port;

	assert_non_null(p->wait);
	assert_non_null(p->wake);
	assert_non_null(p->fget);
	assert_non_null(p->get_file);
	assert_non_null(p->fput);
	assert_non_null(p->file_path);
	assert_non_null(p->copy_to_user);
	assert_non_null(p->copy_from_user);
	assert_non_null(p->bug);
	if (!p->machine)
		return; /* on the CPU itself */
	assert_non_null(p->machine->pte_written);
	assert_non_null(p->machine->tlbi_va);
	assert_non_null(p->machine->tlbi_asid);
	assert_non_null(p->machine->tlbi_all);
	assert_non_null(p->machine->dsb_ishst);
	assert_non_null(p->machine->dsb_ish);
	assert_non_null(p->machine->isb);
	assert_non_null(p->machine->sync_icache);
	assert_non_null(p->machine->set_ttbr0);
	assert_non_null(p->machine->frame_freed);
}
ON_EACH_PORT(nothing_required_is_missing)

static void check_cpu_is_in_range(struct contract *c)
{
	if (c->port->cpu_id)
		assert_true(c->port->cpu_id(c->ctx) < c->nr_cpus);
	if (c->port->relax)
		c->port->relax(c->ctx);
}
ON_EACH_PORT(cpu_is_in_range)

static void check_wait_returns_when_the_word_differs(struct contract *c)
{
	uint32_t word = 1;

	assert_int_equal(c->port->wait(c->ctx, &word, 2, 0), 0);
	assert_int_equal(c->port->wait(c->ctx, &word, 2, MMK_WAIT_KILLABLE), 0);
	c->port->wake(c->ctx, &word); /* nobody sleeps: no harm */
}
ON_EACH_PORT(wait_returns_when_the_word_differs)

struct sleeper {
	struct contract *c;
	uint32_t word;
	uint32_t woken;
};

static void *sleep_until_set(void *arg)
{
	struct sleeper *s = arg;

	hosted_set_cpu(1);
	while (!__atomic_load_n(&s->word, __ATOMIC_ACQUIRE))
		s->c->port->wait(s->c->ctx, &s->word, 0, 0);
	__atomic_store_n(&s->woken, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void check_no_wake_is_lost(struct contract *c)
{
	for (int round = 0; round < 200; round++) {
		struct sleeper s = {.c = c};
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, sleep_until_set, &s), 0);
		if (round % 2)
			c->port->relax(c->ctx);
		__atomic_store_n(&s.word, 1, __ATOMIC_RELEASE);
		c->port->wake(c->ctx, &s.word);
		pthread_join(thread, NULL);
		assert_int_equal(s.woken, 1);
	}
}
ON_EACH_PORT(no_wake_is_lost)

static void *wait_to_be_killed(void *arg)
{
	struct sleeper *s = arg;

	hosted_set_cpu(1);
	while (s->c->port->wait(s->c->ctx, &s->word, 0, MMK_WAIT_KILLABLE) != -MMK_EINTR)
		;
	s->woken = 1;
	return NULL;
}

static void check_a_killable_wait_ends_with_eintr(struct contract *c)
{
	struct timespec moment = {0, 2000000};
	struct sleeper s = {.c = c};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, wait_to_be_killed, &s), 0);
	nanosleep(&moment, NULL);
	hosted_kill(c->w->h, 1, true);
	pthread_join(thread, NULL);
	assert_int_equal(s.woken, 1);
	hosted_kill(c->w->h, 1, false);
}
ON_EACH_PORT(a_killable_wait_ends_with_eintr)

static void check_a_bad_descriptor_is_null(struct contract *c)
{
	assert_null(c->port->fget(c->ctx, &c->w->task, -1));
	assert_null(c->port->fget(c->ctx, &c->w->task, 100));
	assert_null(c->port->fget(c->ctx, &c->w->task, 0x7fffffff));
}
ON_EACH_PORT(a_bad_descriptor_is_null)

static void check_a_file_lives_as_long_as_its_references(struct contract *c)
{
	struct mmk_file *file = c->port->fget(c->ctx, &c->w->task, c->fd);
	char path[128];

	assert_non_null(file);
	assert_non_null(file->f_op);
	assert_non_null(file->f_mapping);
	assert_true(file->f_mode & MMK_FMODE_READ);
	c->port->get_file(c->ctx, file);
	c->port->fput(c->ctx, file);
	hosted_close(c->w->h, c->fd);
	assert_true(c->port->file_path(c->ctx, file, path, sizeof(path)) > 0);
	c->port->fput(c->ctx, file); /* the last: under the sanitizer a use after it would show */
	assert_null(c->port->fget(c->ctx, &c->w->task, c->fd));
}
ON_EACH_PORT(a_file_lives_as_long_as_its_references)

static void check_a_file_has_a_name(struct contract *c)
{
	struct mmk_file *file = c->port->fget(c->ctx, &c->w->task, c->fd);
	uint32_t major = 0, minor = 0;
	uint64_t ino = 0;
	char path[128], cut[8];
	int len = c->port->file_path(c->ctx, file, path, sizeof(path));

	assert_int_equal(len, strlen(path));
	assert_string_equal(path + len - strlen(c->path_end), c->path_end);
	memset(cut, 'x', sizeof(cut));
	c->port->file_path(c->ctx, file, cut, 4); /* at most four bytes, the last a NUL */
	assert_int_equal(cut[4], 'x');
	if (c->port->file_id) {
		c->port->file_id(c->ctx, file, &major, &minor, &ino);
		assert_true(ino != 0);
	}
	c->port->fput(c->ctx, file);
}
ON_EACH_PORT(a_file_has_a_name)

static void check_a_home_reads_and_writes(struct contract *c)
{
	struct mmk_file *file = c->port->fget(c->ctx, &c->w->task, c->fd);
	struct mmk_mapping *m = file->f_mapping;
	uint8_t a[10], b[20];
	struct mmk_iovec iov[2] = {{a, sizeof(a)}, {b, sizeof(b)}};

	assert_int_equal(m->i_size, FILE_SIZE);
	assert_int_equal(m->ops->read(m, 5, iov, 2), 30);
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(i < 10 ? a[i] : b[i - 10], file_byte(5 + i));
	assert_int_equal(m->ops->read(m, FILE_SIZE - 15, iov, 2), 15);
	assert_int_equal(m->ops->read(m, FILE_SIZE, iov, 2), 0);
	memset(a, 1, sizeof(a));
	memset(b, 2, sizeof(b));
	assert_int_equal(m->ops->write(m, 0, iov, 2), 30);
	memset(b, 0, sizeof(b));
	assert_int_equal(m->ops->read(m, 10, iov + 1, 1), 20);
	assert_int_equal(b[19], 2);
	if (m->ops->sync)
		assert_int_equal(m->ops->sync(m), 0);
	c->port->fput(c->ctx, file);
}
ON_EACH_PORT(a_home_reads_and_writes)

static void check_user_memory_is_copied_or_efault(struct contract *c)
{
	struct mmk_task *t = &c->w->task;
	unsigned long at = must_mmap(c->w, 0, 2 * PAGE, RW, ANON_PRIVATE, -1, 0);
	uint8_t bytes[300], back[300];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(c->port->copy_to_user(c->ctx, t, at + PAGE - 100, bytes, 300), 0);
	assert_int_equal(c->port->copy_from_user(c->ctx, t, back, at + PAGE - 100, 300), 0);
	assert_memory_equal(bytes, back, 300);
	assert_int_equal(c->port->copy_to_user(c->ctx, t, at + 2 * PAGE - 100, bytes, 300),
	                 -MMK_EFAULT);
	assert_int_equal(c->port->copy_from_user(c->ctx, t, back, 0, 1), -MMK_EFAULT);
	assert_int_equal(c->port->copy_to_user(c->ctx, t, 0xffff000000000000ul, bytes, 8),
	                 -MMK_EFAULT);
	assert_int_equal(w_mprotect(c->w, at, PAGE, R), 0);
	assert_int_equal(c->port->copy_to_user(c->ctx, t, at, bytes, 1), -MMK_EFAULT);
	assert_int_equal(c->port->copy_to_user(c->ctx, t, 0, bytes, 0), 0); /* nothing to copy */
}
ON_EACH_PORT(user_memory_is_copied_or_efault)

static void check_random_bits_differ(struct contract *c)
{
	uint64_t ones = 0, zeros = 0;

	if (!c->port->random)
		return;
	for (int i = 0; i < 64; i++) {
		uint64_t bits = c->port->random(c->ctx);

		ones |= bits;
		zeros |= ~bits;
	}
	assert_true(ones == ~(uint64_t)0 && zeros == ~(uint64_t)0);
}
ON_EACH_PORT(random_bits_differ)

static void check_nothing_fails_unasked(struct contract *c)
{
	for (int i = 0; c->port->should_fail && i < 1000; i++) {
		assert_false(c->port->should_fail(c->ctx, MMK_FAIL_PAGE));
		assert_false(c->port->should_fail(c->ctx, MMK_FAIL_SLAB));
	}
}
ON_EACH_PORT(nothing_fails_unasked)

/* ---- the hosted machine's own ---- */

static void the_seed_decides_the_addresses(void **state)
{
	struct hosted_config config = {.seed = 7};
	unsigned long at[3];

	for (int i = 0; i < 3; i++) {
		struct world *w;

		config.seed = i < 2 ? 7 : 8;
		w = world_new(&config);
		at[i] = must_mmap(w, 0, PAGE, RW, ANON_PRIVATE, -1, 0);
		world_end(w);
	}
	assert_int_equal(at[0], at[1]);
	assert_true(at[0] != at[2]);
}

static void two_systems_do_not_meet(void **state)
{
	struct hosted_config config = {.seed = 1};
	struct world *one = world_new(&config), *two = world_new(&config);
	unsigned long a = must_mmap(one, 0, PAGE, RW, ANON_PRIVATE, -1, 0);
	unsigned long b = must_mmap(two, 0, PAGE, RW, ANON_PRIVATE, -1, 0);
	uint64_t limit;

	assert_int_equal(a, b);
	store(one, a, 1);
	store(two, b, 2);
	assert_int_equal(load(one, a), 1);
	assert_int_equal(load(two, b), 2);
	assert_int_equal(mmk_sysctl_set(one->sys, "max_map_count", 100), 0);
	assert_int_equal(mmk_sysctl_get(two->sys, "max_map_count", &limit), 0);
	assert_int_equal(limit, 65530);
	world_end(one);
	assert_int_equal(load(two, b), 2);
	world_end(two);
}

static void a_small_machine_is_refused(void **state)
{
	struct hosted_config config = {.ram_size = PAGE};

	assert_null(hosted_create(&config));
}

static void the_host_refuses_as_it_does(void **state)
{
	struct world *w = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/none", w->dir);
	assert_int_equal(hosted_open(w->h, path, O_RDONLY, 0), -MMK_ENOENT);
	assert_int_equal(hosted_close(w->h, 3), -MMK_EBADF);
	assert_int_equal(hosted_pread(w->h, 3, 0, path, 1), -MMK_EBADF);
}

static void a_directory_cannot_be_mapped(void **state)
{
	struct world *w = *state;
	int fd = hosted_open(w->h, w->dir, O_RDONLY, 0);

	assert_true(fd >= 0);
	assert_int_equal(w_mmap(w, 0, PAGE, R, MMK_MAP_PRIVATE, fd, 0), -MMK_ENODEV);
}

static void an_unlinked_file_lives_on(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "gone", PAGE, O_RDWR);
	unsigned long a = must_mmap(w, 0, PAGE, RW, MMK_MAP_SHARED, fd, 0);
	char path[128];

	snprintf(path, sizeof(path), "%s/gone", w->dir);
	assert_int_equal(remove(path), 0);
	store(w, a, 1);
	assert_int_equal(w_msync(w, a, PAGE, MMK_MS_SYNC), 0);
	assert_int_equal(fd_byte(w, fd, 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_required_is_missing),
	    cmocka_unit_test(cpu_is_in_range),
	    cmocka_unit_test(wait_returns_when_the_word_differs),
	    cmocka_unit_test(no_wake_is_lost),
	    cmocka_unit_test(a_killable_wait_ends_with_eintr),
	    cmocka_unit_test(a_bad_descriptor_is_null),
	    cmocka_unit_test(a_file_lives_as_long_as_its_references),
	    cmocka_unit_test(a_file_has_a_name),
	    cmocka_unit_test(a_home_reads_and_writes),
	    cmocka_unit_test(user_memory_is_copied_or_efault),
	    cmocka_unit_test(random_bits_differ),
	    cmocka_unit_test(nothing_fails_unasked),
	    cmocka_unit_test(the_seed_decides_the_addresses),
	    cmocka_unit_test(two_systems_do_not_meet),
	    cmocka_unit_test(a_small_machine_is_refused),
	    WORLD_TEST(the_host_refuses_as_it_does),
	    WORLD_TEST(a_directory_cannot_be_mapped),
	    WORLD_TEST(an_unlinked_file_lives_on),
	};

	return cmocka_run_group_tests_name("contract", tests, NULL, NULL);
}
