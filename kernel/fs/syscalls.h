/* SPDX-License-Identifier: MIT */
/* The system calls of kernel/fs, as the table of kernel/sys calls them: each argument a register.
 */
#ifndef KERNEL_FS_SYSCALLS_H
#define KERNEL_FS_SYSCALLS_H

#include "kernel/lib/types.h"

/* open.c, file.c */
long sys_openat(u64 dfd, u64 path, u64 flags, u64 mode);
long sys_openat2(u64 dfd, u64 path, u64 how, u64 size);
long sys_close(u64 fd);
long sys_close_range(u64 first, u64 last, u64 flags);
long sys_dup(u64 fd);
long sys_dup3(u64 oldfd, u64 newfd, u64 flags);
long sys_fcntl(u64 fd, u64 cmd, u64 arg);
long sys_flock(u64 fd, u64 op);
long sys_ioctl(u64 fd, u64 cmd, u64 arg);
long sys_vhangup(void);
long sys_memfd_secret(u64 flags);
long sys_memfd_create(u64 name, u64 flags);
long sys_pidfd_open(u64 pid, u64 flags);
long sys_cachestat(u64 fd, u64 range, u64 stat, u64 flags);

/* read_write.c, copy.c */
long sys_read(u64 fd, u64 buf, u64 n);
long sys_write(u64 fd, u64 buf, u64 n);
long sys_readv(u64 fd, u64 iov, u64 n);
long sys_writev(u64 fd, u64 iov, u64 n);
long sys_pread64(u64 fd, u64 buf, u64 n, u64 pos);
long sys_pwrite64(u64 fd, u64 buf, u64 n, u64 pos);
long sys_preadv(u64 fd, u64 iov, u64 n, u64 pos_lo, u64 pos_hi);
long sys_pwritev(u64 fd, u64 iov, u64 n, u64 pos_lo, u64 pos_hi);
long sys_preadv2(u64 fd, u64 iov, u64 n, u64 pos_lo, u64 pos_hi, u64 flags);
long sys_pwritev2(u64 fd, u64 iov, u64 n, u64 pos_lo, u64 pos_hi, u64 flags);
long sys_lseek(u64 fd, u64 off, u64 whence);
long sys_sendfile(u64 out, u64 in, u64 pos, u64 n);
long sys_splice(u64 in, u64 pos_in, u64 out, u64 pos_out, u64 n, u64 flags);
long sys_tee(u64 in, u64 out, u64 n, u64 flags);
long sys_vmsplice(u64 fd, u64 iov, u64 n, u64 flags);
long sys_copy_file_range(u64 in, u64 pos_in, u64 out, u64 pos_out, u64 n, u64 flags);

/* attr.c, stat.c */
long sys_newfstatat(u64 dfd, u64 path, u64 st, u64 flags);
long sys_fstat(u64 fd, u64 st);
long sys_statx(u64 dfd, u64 path, u64 flags, u64 mask, u64 st);
long sys_statfs(u64 path, u64 st);
long sys_fstatfs(u64 fd, u64 st);
long sys_faccessat(u64 dfd, u64 path, u64 mode);
long sys_faccessat2(u64 dfd, u64 path, u64 mode, u64 flags);
long sys_fchmod(u64 fd, u64 mode);
long sys_fchmodat(u64 dfd, u64 path, u64 mode);
long sys_fchmodat2(u64 dfd, u64 path, u64 mode, u64 flags);
long sys_fchown(u64 fd, u64 uid, u64 gid);
long sys_fchownat(u64 dfd, u64 path, u64 uid, u64 gid, u64 flags);
long sys_utimensat(u64 dfd, u64 path, u64 times, u64 flags);
long sys_truncate(u64 path, u64 size);
long sys_ftruncate(u64 fd, u64 size);
long sys_fallocate(u64 fd, u64 mode, u64 off, u64 len);
long sys_fsync(u64 fd);
long sys_fdatasync(u64 fd);
long sys_sync(void);
long sys_syncfs(u64 fd);
long sys_sync_file_range(u64 fd, u64 off, u64 n, u64 flags);
long sys_fadvise64(u64 fd, u64 off, u64 len, u64 advice);
long sys_readahead(u64 fd, u64 off, u64 n);

/* dirops.c, readdir.c */
long sys_mkdirat(u64 dfd, u64 path, u64 mode);
long sys_mknodat(u64 dfd, u64 path, u64 mode, u64 dev);
long sys_unlinkat(u64 dfd, u64 path, u64 flags);
long sys_symlinkat(u64 target, u64 dfd, u64 path);
long sys_linkat(u64 odfd, u64 opath, u64 ndfd, u64 npath, u64 flags);
long sys_renameat(u64 odfd, u64 opath, u64 ndfd, u64 npath);
long sys_renameat2(u64 odfd, u64 opath, u64 ndfd, u64 npath, u64 flags);
long sys_readlinkat(u64 dfd, u64 path, u64 buf, u64 size);
long sys_getdents64(u64 fd, u64 buf, u64 size);
long sys_chdir(u64 path);
long sys_fchdir(u64 fd);
long sys_chroot(u64 path);
long sys_getcwd(u64 buf, u64 size);
long sys_umask(u64 mask);

/* mount.c */
long sys_mount(u64 source, u64 target, u64 type, u64 flags, u64 data);
long sys_umount2(u64 target, u64 flags);

/* pipe.c, eventfd.c, socket.c, poll.c */
long sys_pipe2(u64 fds, u64 flags);
long sys_eventfd2(u64 count, u64 flags);
long sys_socket(u64 family, u64 type, u64 protocol);
long sys_socketpair(u64 family, u64 type, u64 protocol, u64 fds);
long sys_bind(u64 fd, u64 addr, u64 len);
long sys_listen(u64 fd, u64 backlog);
long sys_accept(u64 fd, u64 addr, u64 len);
long sys_accept4(u64 fd, u64 addr, u64 len, u64 flags);
long sys_connect(u64 fd, u64 addr, u64 len);
long sys_getsockname(u64 fd, u64 addr, u64 len);
long sys_getpeername(u64 fd, u64 addr, u64 len);
long sys_sendto(u64 fd, u64 buf, u64 n, u64 flags, u64 addr, u64 len);
long sys_recvfrom(u64 fd, u64 buf, u64 n, u64 flags, u64 addr, u64 len);
long sys_setsockopt(u64 fd, u64 level, u64 name, u64 val, u64 len);
long sys_getsockopt(u64 fd, u64 level, u64 name, u64 val, u64 len);
long sys_shutdown(u64 fd, u64 how);
long sys_sendmsg(u64 fd, u64 msg, u64 flags);
long sys_recvmsg(u64 fd, u64 msg, u64 flags);
long sys_epoll_create1(u64 flags);
long sys_epoll_ctl(u64 epfd, u64 op, u64 fd, u64 event);
long sys_epoll_pwait(u64 epfd, u64 events, u64 max, u64 timeout, u64 mask, u64 size);
long sys_epoll_pwait2(u64 epfd, u64 events, u64 max, u64 timeout, u64 mask, u64 size);
long sys_timerfd_create(u64 clock, u64 flags);
long sys_timerfd_settime(u64 fd, u64 flags, u64 value, u64 old);
long sys_timerfd_gettime(u64 fd, u64 value);
long sys_signalfd4(u64 fd, u64 mask, u64 size, u64 flags);
long sys_ppoll(u64 fds, u64 n, u64 timeout, u64 mask, u64 size);
long sys_pselect6(u64 n, u64 in, u64 out, u64 ex, u64 timeout, u64 mask);

/* xattr.c */
long sys_setxattr(u64 path, u64 name, u64 value, u64 size, u64 flags);
long sys_lsetxattr(u64 path, u64 name, u64 value, u64 size, u64 flags);
long sys_fsetxattr(u64 fd, u64 name, u64 value, u64 size, u64 flags);
long sys_getxattr(u64 path, u64 name, u64 value, u64 size);
long sys_lgetxattr(u64 path, u64 name, u64 value, u64 size);
long sys_fgetxattr(u64 fd, u64 name, u64 value, u64 size);
long sys_listxattr(u64 path, u64 list, u64 size);
long sys_llistxattr(u64 path, u64 list, u64 size);
long sys_flistxattr(u64 fd, u64 list, u64 size);
long sys_removexattr(u64 path, u64 name);
long sys_lremovexattr(u64 path, u64 name);
long sys_fremovexattr(u64 fd, u64 name);

/* random.c */
long sys_getrandom(u64 buf, u64 n, u64 flags);

#endif
