/* SPDX-License-Identifier: MIT */
/*
 * #! scripts: "#!INTERPRETER [ARGUMENT]" in the first line. It becomes INTERPRETER [ARGUMENT]
 * SCRIPT argv[1]...
 */
#include "kernel/exec/exec.h"

#include "kernel/fs/abi.h"
#include "kernel/fs/fs.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"

bool exec_is_script(const struct exec *e)
{
	return e->head_len >= 2 && e->head[0] == '#' && e->head[1] == '!';
}

static char *skip_blanks(char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/*
 * Cuts the line into its two words; *arg is NULL without a second. The second is the rest of the
 * line, blanks inside it included. -ENOEXEC: no interpreter, or its name does not end within what
 * has been read.
 */
static int parse_line(char *line, size_t len, char **interp, char **arg)
{
	char *nl = memchr(line, '\n', len), *end, *p;
	bool cut = !nl && len == EXEC_HEAD_SIZE - 2;

	end = nl ? nl : line + len;
	*end = '\0';
	*interp = skip_blanks(line);
	p = *interp + strcspn(*interp, " \t");
	if (p == *interp || (cut && !*p))
		return -ENOEXEC;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	*arg = NULL;
	if (*p) {
		*p++ = '\0';
		p = skip_blanks(p);
		if (*p)
			*arg = p;
	}
	return 0;
}

/* The new words stand before those that an outer script has put there: build the list anew. */
static int prepend(struct exec *e, const char *interp, const char *arg, const char *script)
{
	struct arg_store s;
	u64 pos, next;
	char *word;
	int err = arg_store_init(&s, 16 * EXEC_PATH_MAX);

	if (err)
		return err;
	err = arg_store_add(&s, interp);
	if (!err && arg)
		err = arg_store_add(&s, arg);
	if (!err)
		err = arg_store_add(&s, script);
	/* The first of the old ones was the name of the script that is now an argument. */
	pos = e->prefix.len ? arg_store_next(&e->prefix, 0) : 0;
	for (; !err && pos < e->prefix.len; pos = next) {
		next = arg_store_next(&e->prefix, pos);
		word = kmalloc(next - pos);
		if (!word) {
			err = -ENOMEM;
			break;
		}
		arg_store_read(&e->prefix, pos, word, next - pos);
		err = arg_store_add(&s, word);
		kfree(word);
	}
	if (err) {
		arg_store_free(&s);
		return err;
	}
	arg_store_free(&e->prefix);
	e->prefix = s;
	e->drop_argv0 = true;
	return 0;
}

int exec_script(struct exec *e)
{
	char line[EXEC_HEAD_SIZE], *interp, *arg;
	const char *script = e->interp_path ? e->interp_path : e->filename;
	struct file *file;
	char *path;
	int err;

	if (e->path_inaccessible)
		return -ENOENT;
	memcpy(line, e->head + 2, e->head_len - 2);
	err = parse_line(line, e->head_len - 2, &interp, &arg);
	if (err)
		return err;
	err = prepend(e, interp, arg, script);
	if (err)
		return err;
	path = kmalloc(strlen(interp) + 1);
	if (!path)
		return -ENOMEM;
	strcpy(path, interp);
	err = file_open_exec(AT_FDCWD, path, 0, &file);
	if (err) {
		kfree(path);
		return err;
	}
	kfree(e->interp_path);
	e->interp_path = path;
	file_close_exec(e->file);
	e->file = file;
	return 0;
}
