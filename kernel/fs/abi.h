/* SPDX-License-Identifier: MIT */
/* Numbers and structures of the Linux arm64 ABI that files have to do with. */
#ifndef KERNEL_FS_ABI_H
#define KERNEL_FS_ABI_H

#include "kernel/lib/types.h"

/* open(2), arm64's values */
#define O_ACCMODE   00000003u
#define O_RDONLY    00000000u
#define O_WRONLY    00000001u
#define O_RDWR      00000002u
#define O_CREAT     00000100u
#define O_EXCL      00000200u
#define O_NOCTTY    00000400u
#define O_TRUNC     00001000u
#define O_APPEND    00002000u
#define O_NONBLOCK  00004000u
#define O_DSYNC     00010000u
#define O_ASYNC     00020000u
#define O_DIRECTORY 00040000u
#define O_NOFOLLOW  00100000u
#define O_DIRECT    00200000u
#define O_LARGEFILE 00400000u
#define O_NOATIME   01000000u
#define O_CLOEXEC   02000000u
#define O_SYNC      04010000u
#define O_PATH      010000000u
#define O_TMPFILE   (020000000u | O_DIRECTORY)

#define AT_FDCWD            (-100)
#define AT_SYMLINK_NOFOLLOW 0x100u
#define AT_REMOVEDIR        0x200u
#define AT_EACCESS          0x200u
#define AT_SYMLINK_FOLLOW   0x400u
#define AT_NO_AUTOMOUNT     0x800u
#define AT_EMPTY_PATH       0x1000u
#define AT_STATX_SYNC_TYPE  0x6000u

#define S_IFMT      0170000u
#define S_IFSOCK    0140000u
#define S_IFLNK     0120000u
#define S_IFREG     0100000u
#define S_IFBLK     0060000u
#define S_IFDIR     0040000u
#define S_IFCHR     0020000u
#define S_IFIFO     0010000u
#define S_ISUID     0004000u
#define S_ISGID     0002000u
#define S_ISVTX     0001000u
#define S_ISLNK(m)  (((m)&S_IFMT) == S_IFLNK)
#define S_ISREG(m)  (((m)&S_IFMT) == S_IFREG)
#define S_ISDIR(m)  (((m)&S_IFMT) == S_IFDIR)
#define S_ISCHR(m)  (((m)&S_IFMT) == S_IFCHR)
#define S_ISBLK(m)  (((m)&S_IFMT) == S_IFBLK)
#define S_ISFIFO(m) (((m)&S_IFMT) == S_IFIFO)
#define S_ISSOCK(m) (((m)&S_IFMT) == S_IFSOCK)

#define SEEK_SET  0
#define SEEK_CUR  1
#define SEEK_END  2
#define SEEK_DATA 3
#define SEEK_HOLE 4

#define DT_UNKNOWN    0
#define DT_DIR        4
#define MODE_TO_DT(m) ((u8)(((m)&S_IFMT) >> 12))

/* dev_t as user space has it for numbers below 2^20 and 2^12 */
#define MKDEV(maj, min) ((((min)&0xffu) | (((maj)&0xfffu) << 8) | (((min)&0xfff00u) << 12)))
#define MAJOR(dev)      (((dev) >> 8) & 0xfffu)
#define MINOR(dev)      (((dev)&0xffu) | (((dev) >> 12) & 0xfff00u))

#define TMPFS_MAGIC      0x01021994u
#define RAMFS_MAGIC      0x858458f6u
#define PROC_MAGIC       0x9fa0u
#define SYSFS_MAGIC      0x62656572u
#define V9FS_MAGIC       0x01021997u
#define PIPEFS_MAGIC     0x50495045u
#define ANON_INODE_MAGIC 0x09041934u

struct abi_stat {
	u64 dev, ino;
	u32 mode, nlink, uid, gid;
	u64 rdev, pad1;
	s64 size;
	s32 blksize, pad2;
	s64 blocks;
	s64 atime;
	u64 atime_nsec;
	s64 mtime;
	u64 mtime_nsec;
	s64 ctime;
	u64 ctime_nsec;
	u32 unused[2];
};
_Static_assert(sizeof(struct abi_stat) == 128, "struct stat");

struct abi_statx_time {
	s64 sec;
	u32 nsec;
	s32 pad;
};

struct abi_statx {
	u32 mask, blksize;
	u64 attributes;
	u32 nlink, uid, gid;
	u16 mode, pad1;
	u64 ino, size, blocks, attributes_mask;
	struct abi_statx_time atime, btime, ctime, mtime;
	u32 rdev_major, rdev_minor, dev_major, dev_minor;
	u64 mnt_id;
	u32 dio_mem_align, dio_offset_align;
	u64 spare[12];
};
_Static_assert(sizeof(struct abi_statx) == 256, "struct statx");
#define STATX_BASIC_STATS 0x7ffu
#define STATX_BTIME       0x800u
#define STATX_MNT_ID      0x1000u

struct abi_statfs {
	s64 type, bsize;
	u64 blocks, bfree, bavail, files, ffree;
	u64 fsid;
	s64 namelen, frsize, flags, spare[4];
};
_Static_assert(sizeof(struct abi_statfs) == 120, "struct statfs");

struct abi_dirent {
	u64 ino;
	s64 off;
	u16 reclen;
	u8 type;
	char name[];
};
#define DIRENT_HEAD 19

struct abi_iovec {
	u64 base, len;
};
#define IOV_MAX 1024

struct abi_timespec {
	s64 sec, nsec;
};
#define UTIME_NOW  0x3fffffff
#define UTIME_OMIT 0x3ffffffe

/* fcntl(2) */
#define F_DUPFD         0
#define F_GETFD         1
#define F_SETFD         2
#define F_GETFL         3
#define F_SETFL         4
#define F_GETLK         5
#define F_SETLK         6
#define F_SETLKW        7
#define F_SETOWN        8
#define F_GETOWN        9
#define F_SETSIG        10
#define F_GETSIG        11
#define F_OFD_GETLK     36
#define F_OFD_SETLK     37
#define F_OFD_SETLKW    38
#define F_DUPFD_CLOEXEC 1030
#define F_SETPIPE_SZ    1031
#define F_GETPIPE_SZ    1032
#define F_ADD_SEALS     1033
#define F_GET_SEALS     1034
#define FD_CLOEXEC      1
#define F_RDLCK         0
#define F_WRLCK         1
#define F_UNLCK         2
struct abi_flock {
	s16 type, whence;
	s32 pad0;
	s64 start, len;
	s32 pid, pad1;
};
_Static_assert(sizeof(struct abi_flock) == 32, "struct flock");
#define LOCK_SH   1
#define LOCK_EX   2
#define LOCK_NB   4
#define LOCK_UN   8
#define LOCK_MAND 32

#define FALLOC_FL_KEEP_SIZE  0x01
#define FALLOC_FL_PUNCH_HOLE 0x02
#define FALLOC_FL_ZERO_RANGE 0x10

#define RENAME_NOREPLACE 1u
#define RENAME_EXCHANGE  2u
#define RENAME_WHITEOUT  4u

#define MFD_CLOEXEC       1u
#define MFD_ALLOW_SEALING 2u
#define MFD_HUGETLB       4u
#define MFD_NOEXEC_SEAL   8u
#define MFD_EXEC          16u

#define F_SEAL_SEAL         0x01u /* no more seals */
#define F_SEAL_SHRINK       0x02u
#define F_SEAL_GROW         0x04u
#define F_SEAL_WRITE        0x08u
#define F_SEAL_FUTURE_WRITE 0x10u /* mappings that write already may go on */
#define F_SEAL_EXEC         0x20u /* the mode's x bits stay as they are */

#define R_OK 4u
#define W_OK 2u
#define X_OK 1u

struct abi_pollfd {
	s32 fd;
	s16 events, revents;
};
#define POLLIN     0x0001u
#define POLLPRI    0x0002u
#define POLLOUT    0x0004u
#define POLLERR    0x0008u
#define POLLHUP    0x0010u
#define POLLNVAL   0x0020u
#define POLLRDNORM 0x0040u
#define POLLRDBAND 0x0080u
#define POLLWRNORM 0x0100u
#define POLLWRBAND 0x0200u
#define POLLRDHUP  0x2000u

/* ioctl(2) */
#define TCGETS          0x5401u
#define TCSETS          0x5402u
#define TCSETSW         0x5403u
#define TCSETSF         0x5404u
#define TCSBRK          0x5409u
#define TCXONC          0x540au
#define TCFLSH          0x540bu
#define TIOCSCTTY       0x540eu
#define TIOCGPGRP       0x540fu
#define TIOCSPGRP       0x5410u
#define TIOCOUTQ        0x5411u
#define TIOCSTI         0x5412u
#define TIOCGWINSZ      0x5413u
#define TIOCSWINSZ      0x5414u
#define FIONREAD        0x541bu
#define FIONBIO         0x5421u
#define FS_IOC_GETFLAGS 0x80086601u
#define FS_IOC_SETFLAGS 0x40086602u
#define FS_APPEND_FL    0x20u
#define TIOCNOTTY       0x5422u
#define TCSBRKP         0x5425u
#define TIOCGSID        0x5429u
#define TIOCGDEV        0x80045432u
#define FIONCLEX        0x5450u
#define FIOCLEX         0x5451u
#define FIOASYNC        0x5452u
#define FIOQSIZE        0x5460u

struct abi_termios {
	u32 iflag, oflag, cflag, lflag;
	u8 line;
	u8 cc[19];
};
_Static_assert(sizeof(struct abi_termios) == 36, "struct termios");

struct abi_winsize {
	u16 rows, cols, xpixel, ypixel;
};

/* mount(2) */
#define MS_RDONLY       1u
#define MS_NOSUID       2u
#define MS_NODEV        4u
#define MS_NOEXEC       8u
#define MS_REMOUNT      32u
#define MS_BIND         4096u
#define MS_MOVE         8192u
#define MS_REC          16384u
#define MS_SILENT       32768u
#define MS_PRIVATE      0x40000u
#define MS_SHARED       0x100000u
#define MS_SLAVE        0x80000u
#define MS_UNBINDABLE   0x20000u
#define MNT_FORCE       1u
#define MNT_DETACH      2u
#define UMOUNT_NOFOLLOW 8u

#define RLIMIT_FSIZE  1
#define RLIMIT_NOFILE 7

#endif
