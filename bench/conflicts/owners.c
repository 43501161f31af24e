/* SPDX-License-Identifier: MIT */
/*
 * From an address to the object that lies there and its field. The RAM holds all of the core's
 * state: frames by what their struct page says, objects in slabs by their cache.
 */
#include "bench/conflicts/owners.h"
#include "bench/conflicts/recorder.h"

#include <stdio.h>
#include "mm/internal.h"
#include "mm/cache.h"

struct field {
	const char *name;
	size_t offset;
};
#define FIELD(type, field)                                                                         \
	{                                                                                          \
#field, offsetof(struct type, field)                                               \
	}

/* Each in order of offsets; what is not named counts to the field before it. */
static const struct field system_fields[] = {
    FIELD(mmk_system, port),
    FIELD(mmk_system, cpus),
    FIELD(mmk_system, buddy_lock),
    FIELD(mmk_system, free_area),
    FIELD(mmk_system, nr_free),
    FIELD(mmk_system, nr_min),
    FIELD(mmk_system, clock_hand),
    FIELD(mmk_system, lazy),
    FIELD(mmk_system, kmalloc_caches),
    FIELD(mmk_system, vma_cache),
    FIELD(mmk_system, mm_cache),
    FIELD(mmk_system, radix_cache),
    FIELD(mmk_system, asid_lock),
    FIELD(mmk_system, active_asid),
    FIELD(mmk_system, overcommit_memory),
    FIELD(mmk_system, committed),
    FIELD(mmk_system, committed_shmem),
    FIELD(mmk_system, mms_lock),
    FIELD(mmk_system, nr_kind),
    FIELD(mmk_system, nr_shmem),
    FIELD(mmk_system, nr_dirty),
    FIELD(mmk_system, nr_writeback),
    FIELD(mmk_system, wb_lock),
    FIELD(mmk_system, dirty_first),
    FIELD(mmk_system, wb_pass),
    FIELD(mmk_system, fault_around_bytes),
    FIELD(mmk_system, refusal_lock),
    {0},
};
static const struct field cpu_fields[] = {
    FIELD(cpu_local, frames),
    FIELD(cpu_local, look),
    FIELD(cpu_local, objects_lock),
    FIELD(cpu_local, objects),
    FIELD(cpu_local, count),
    {0},
};
static const struct field mm_fields[] = {
    FIELD(mm_struct, sys),
    FIELD(mm_struct, pgd),
    FIELD(mm_struct, context),
    FIELD(mm_struct, task_size),
    FIELD(mm_struct, seq),
    FIELD(mm_struct, flags),
    FIELD(mm_struct, nr_shared),
    FIELD(mm_struct, lazy),
    FIELD(mm_struct, users),
    FIELD(mm_struct, vmas),
    FIELD(mm_struct, mmap_base),
    FIELD(mm_struct, mmap_lock),
    FIELD(mm_struct, page_table_lock),
    FIELD(mm_struct, map_count),
    FIELD(mm_struct, cpus),
    FIELD(mm_struct, idle_table),
    FIELD(mm_struct, pgtables),
    FIELD(mm_struct, hiwater_rss),
    FIELD(mm_struct, pinned_vm),
    FIELD(mm_struct, def_flags),
    FIELD(mm_struct, total_vm),
    FIELD(mm_struct, data_vm),
    FIELD(mm_struct, exec_vm),
    FIELD(mm_struct, stack_vm),
    FIELD(mm_struct, locked_vm),
    FIELD(mm_struct, hiwater_vm),
    FIELD(mm_struct, bounds),
    FIELD(mm_struct, next_mm),
    FIELD(mm_struct, counts),
    {0},
};
static const struct field vma_fields[] = {
    FIELD(vm_area_struct, range.rb),
    FIELD(vm_area_struct, vm_start),
    FIELD(vm_area_struct, range.prev),
    FIELD(vm_area_struct, range.gap),
    FIELD(vm_area_struct, vm_flags),
    FIELD(vm_area_struct, vm_pgoff),
    FIELD(vm_area_struct, vm_mm),
    FIELD(vm_area_struct, vm_file),
    FIELD(vm_area_struct, vm_ops),
    FIELD(vm_area_struct, anon_vma),
    FIELD(vm_area_struct, vm_private_data),
    {"i_mmap", sizeof(struct vm_area_struct)},
    {0},
};
static const struct field mapping_fields[] = {
    FIELD(address_space, sys),          FIELD(address_space, i_size),
    FIELD(address_space, i_pages),      FIELD(address_space, nrpages),
    FIELD(address_space, i_pages_lock), FIELD(address_space, i_mmap_lock),
    FIELD(address_space, i_mmap),       FIELD(address_space, i_mmap_writable),
    FIELD(address_space, flags),        FIELD(address_space, wb_err),
    FIELD(address_space, wb_pass),      {0},
};
/* What the unions hold is told by the kind. */
static const struct field page_fields[] = {
    FIELD(page, flags),
    FIELD(page, refcount),
    FIELD(page, mapcount),
    FIELD(page, nr_used),
    FIELD(page, mapping),
    FIELD(page, index),
    {0},
};
static const struct field table_page_fields[] = {
    FIELD(page, flags),
    FIELD(page, refcount),
    FIELD(page, ptl),
    FIELD(page, nr_used),
    FIELD(page, table_mm),
    FIELD(page, sharers),
    FIELD(page, traits),
    {0},
};
static const struct field slab_page_fields[] = {
    FIELD(page, flags),
    FIELD(page, refcount),
    FIELD(page, slab_free),
    FIELD(page, nr_used),
    FIELD(page, next),
    FIELD(page, prev),
    {0},
};

static const char *const kind_names[] = {
    [PAGE_FREE] = "free",  [PAGE_RESERVED] = "reserved", [PAGE_KERNEL] = "kernel",
    [PAGE_SLAB] = "slab",  [PAGE_TABLE] = "table",       [PAGE_ANON] = "anonymous",
    [PAGE_CACHE] = "file",
};

static const char *kind_name(const struct page *page)
{
	unsigned kind = page_kind(page);

	return kind < sizeof(kind_names) / sizeof(kind_names[0]) ? kind_names[kind] : "free";
}

static const char *field_at(const struct field *fields, size_t offset)
{
	const char *name = fields->name;

	for (; fields->name && fields->offset <= offset; fields++)
		name = fields->name;
	return name;
}

void owners_watch(struct mmk_system *sys, const struct mmk_mapping *mapping)
{
	recorder_forget();
	recorder_watch(phys_to_virt(sys, sys->phys_base), sys->ram_size);
	recorder_watch(mapping, sizeof(*mapping));
}

static void frame_table_name(struct mmk_system *sys, size_t offset, char *name)
{
	const struct page *page = &sys->mem_map[offset / sizeof(struct page)];
	enum page_kind kind = page_kind(page);
	const struct field *fields = kind == PAGE_TABLE  ? table_page_fields
	                             : kind == PAGE_SLAB ? slab_page_fields
	                                                 : page_fields;

	snprintf(name, OWNER_NAME, "page (%s%s).%s", page == sys->zero_page ? "zero, " : "",
	         kind_name(page), field_at(fields, offset % sizeof(struct page)));
}

static void slab_name(struct mmk_system *sys, unsigned id, size_t offset, char *name)
{
	struct slab_cache *const caches[] = {&sys->vma_cache, &sys->file_vma_cache, &sys->mm_cache,
	                                     &sys->radix_cache};
	struct slab_cache *cache = id < 16 ? &sys->kmalloc_caches[id] : caches[id - 16];
	size_t in_object = offset % cache->size;

	if (cache == &sys->vma_cache || cache == &sys->file_vma_cache)
		snprintf(name, OWNER_NAME, "vma.%s", field_at(vma_fields, in_object));
	else if (cache == &sys->mm_cache)
		snprintf(name, OWNER_NAME, "mm.%s", field_at(mm_fields, in_object));
	else
		snprintf(name, OWNER_NAME, "%s object", cache->name);
}

void owner_name(struct mmk_system *sys, uint64_t offset, char name[OWNER_NAME])
{
	const char *at = (char *)phys_to_virt(sys, sys->phys_base) + offset;
	size_t in_system = (size_t)(at - (const char *)sys);
	size_t in_table = (size_t)(at - (const char *)sys->mem_map);
	const struct page *page;

	if (offset >= sys->ram_size) {
		snprintf(name, OWNER_NAME, "mapping.%s",
		         field_at(mapping_fields, offset - sys->ram_size));
		return;
	}
	page = phys_to_page(sys, sys->phys_base + offset);
	if (at >= (const char *)sys->cpus && at < (const char *)sys->mem_map)
		snprintf(name, OWNER_NAME, "cpu.%s",
		         field_at(cpu_fields, (size_t)(at - (const char *)sys->cpus) %
		                                  sizeof(struct cpu_local)));
	else if (in_system < sizeof(*sys))
		snprintf(name, OWNER_NAME, "system.%s", field_at(system_fields, in_system));
	else if (in_table < sys->nr_frames * sizeof(struct page))
		frame_table_name(sys, in_table, name);
	else if (page_kind(page) == PAGE_SLAB)
		slab_name(sys, page->slab_cache, offset % PAGE_SIZE, name);
	else
		snprintf(name, OWNER_NAME,
		         page_kind(page) == PAGE_TABLE ? "%s entries" : "%s bytes",
		         kind_name(page));
}
