/* A library to be loaded before all others (LD_PRELOAD): lets the n-th call that changes or opens a
   file below a folder fail with an errno, or sends a signal before it, in whichever library it is
   made; and sets the clock back.

   What is to fail stands in a file that all processes map (FAILING_CONTROL, see failing.py). Calls
   that the C library makes inside itself (fwrite, static programs) are not seen. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { READ, OPEN, WRITE, SYNC, RENAME, UNLINK, LINK, MKDIR, TRUNCATE };
static const char *const NAMES[] = {"read", "open", "write", "fsync", "rename",
                                    "unlink", "link", "mkdir", "truncate"};

struct control {
  int32_t mode; /* 0 nothing, 1 note all calls, 2 fail */
  int32_t number; /* of the call that fails, from 1 */
  int32_t error; /* errno; a signal that is sent before the call, where it is negative */
  int32_t lasting; /* whether all calls after it that need room fail too; the signal comes twice */
  int32_t partial; /* whether half of a write is done before it fails */
  int32_t count; /* calls so far */
  int32_t failed; /* calls that were made to fail */
  int32_t clock_after; /* calls of the clock after which it is set back; 0 never */
  int32_t clock_count;
  int32_t clock_seconds; /* by how much */
  char root[1024];
  char log[1024];
  char function[32]; /* what failed first */
  char path[4096];
};

static struct control *control;

__attribute__((constructor)) static void begin(void) {
  const char *name = getenv("FAILING_CONTROL");
  if (name == NULL) return;
  int file = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  void *mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  syscall(SYS_close, file);
  if (mapped != MAP_FAILED) control = mapped;
}

static pthread_mutex_t noting = PTHREAD_MUTEX_INITIALIZER;
static __thread int inside; /* what notes writes by itself */

/* The Python functions that make the call, innermost first, as faulthandler shows them: without a
   lock of the interpreter, and nothing in a thread that is not Python's. */
static void note_stack(int file) {
  void *(*of_thread)(void) = (void *(*)(void))dlsym(RTLD_DEFAULT, "PyGILState_GetThisThreadState");
  void (*dump)(int, void *) = (void (*)(int, void *))dlsym(RTLD_DEFAULT, "_Py_DumpTraceback");
  void *thread = of_thread == NULL || dump == NULL ? NULL : of_thread();
  inside = 1;
  if (thread != NULL) dump(file, thread);
  inside = 0;
}

static void note(int kind, const char *path) {
  char line[4200];
  int file = (int)syscall(SYS_openat, AT_FDCWD, control->log, O_WRONLY | O_APPEND | O_CREAT, 0600);
  if (file < 0) return;
  int length = snprintf(line, sizeof line, "%s\t%s\n", NAMES[kind], path);
  pthread_mutex_lock(&noting);
  syscall(SYS_write, file, line, length);
  note_stack(file);
  pthread_mutex_unlock(&noting);
  syscall(SYS_close, file);
}

static int is_below(const char *path) {
  size_t length = strlen(control->root);
  return strncmp(path, control->root, length) == 0 && (path[length] == '/' || path[length] == 0);
}

/* Path of an open file, or of a name that stands in a folder. */
static int absolute(int folder, const char *name, char *path, size_t size) {
  if (name != NULL && name[0] == '/') {
    snprintf(path, size, "%s", name);
    return 1;
  }
  char link[64];
  if (name != NULL && folder == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
  else snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
  ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, size - 1);
  if (length < 0) return 0;
  path[length] = 0;
  if (name != NULL) snprintf(path + length, size - length, "/%s", name);
  return 1;
}

/* 0 for a call that is to be made; 1 for one that fails, errno set; 2 for a write of which half
   is to be made. */
static int fails(int kind, int folder, const char *name) {
  if (control == NULL || control->mode == 0 || inside) return 0;
  int before = errno;
  char path[4096];
  if (!absolute(folder, name, path, sizeof path) || !is_below(path)) {
    errno = before;
    return 0;
  }
  errno = before;
  if (control->mode == 1) {
    note(kind, path);
    __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST);
    return 0;
  }
  int number = __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST);
  int past = number - control->number;
  int needs_room = kind != READ && kind != UNLINK;
  int again = control->error < 0 ? past == 1 : needs_room;
  if (past != 0 && !(past > 0 && control->lasting && again)) return 0;
  int first = __atomic_fetch_add(&control->failed, 1, __ATOMIC_SEQ_CST) == 0;
  if (first) {
    strncpy(control->function, NAMES[kind], sizeof control->function - 1);
    strncpy(control->path, path, sizeof control->path - 1);
    if (kind == WRITE && control->partial) return 2;
  }
  if (control->error < 0) {
    syscall(SYS_kill, syscall(SYS_getpid), -control->error);
    return 0;
  }
  errno = control->error;
  return 1;
}

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static int kind_of(int flags) {
  return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) ? OPEN : READ;
}

#define OPENS(name, folder, path_argument, ...)                                               \
  int name(__VA_ARGS__, int flags, ...) {                                                         \
    mode_t mode = 0;                                                                              \
    if (flags & (O_CREAT | O_TMPFILE)) {                                                          \
      va_list rest;                                                                               \
      va_start(rest, flags);                                                                      \
      mode = va_arg(rest, mode_t);                                                                \
      va_end(rest);                                                                               \
    }                                                                                             \
    if (fails(kind_of(flags), folder, path_argument)) return -1;                                  \
    return (int)syscall(SYS_openat, folder, path_argument, flags | O_LARGEFILE, mode);            \
  }

OPENS(open, AT_FDCWD, path, const char *path)
OPENS(open64, AT_FDCWD, path, const char *path)
OPENS(openat, folder, path, int folder, const char *path)
OPENS(openat64, folder, path, int folder, const char *path)

int __open_2(const char *path, int flags) { return open(path, flags); }
int __open64_2(const char *path, int flags) { return open(path, flags); }
int __openat_2(int folder, const char *path, int flags) { return openat(folder, path, flags); }
int __openat64_2(int folder, const char *path, int flags) { return openat(folder, path, flags); }
int creat(const char *path, mode_t mode) { return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

static int kind_of_mode(const char *mode) { return strpbrk(mode, "wa+") ? OPEN : READ; }

FILE *fopen(const char *path, const char *mode) {
  if (fails(kind_of_mode(mode), AT_FDCWD, path)) return NULL;
  return REAL(fopen)(path, mode);
}

FILE *fopen64(const char *path, const char *mode) {
  if (fails(kind_of_mode(mode), AT_FDCWD, path)) return NULL;
  return REAL(fopen64)(path, mode);
}

DIR *opendir(const char *path) {
  if (fails(READ, AT_FDCWD, path)) return NULL;
  return REAL(opendir)(path);
}

ssize_t write(int file, const void *data, size_t count) {
  int how = fails(WRITE, file, NULL);
  if (how == 1) return -1;
  return syscall(SYS_write, file, data, how == 2 && count > 1 ? count / 2 : count);
}

#define WRITES(type, name, declared, passed)                                                      \
  type name declared {                                                                            \
    if (fails(WRITE, file, NULL) == 1) return -1;                                                 \
    return REAL(name) passed;                                                                     \
  }

WRITES(ssize_t, writev, (int file, const struct iovec *data, int count), (file, data, count))
WRITES(ssize_t, pwrite, (int file, const void *data, size_t count, off_t offset),
       (file, data, count, offset))
WRITES(ssize_t, pwrite64, (int file, const void *data, size_t count, off64_t offset),
       (file, data, count, offset))
WRITES(ssize_t, pwritev, (int file, const struct iovec *data, int count, off_t offset),
       (file, data, count, offset))
WRITES(ssize_t, pwritev64, (int file, const struct iovec *data, int count, off64_t offset),
       (file, data, count, offset))
WRITES(ssize_t, sendfile, (int file, int from, off_t *offset, size_t count),
       (file, from, offset, count))
WRITES(ssize_t, sendfile64, (int file, int from, off64_t *offset, size_t count),
       (file, from, offset, count))
WRITES(ssize_t, copy_file_range,
       (int from, off64_t *in, int file, off64_t *out, size_t count, unsigned flags),
       (from, in, file, out, count, flags))

#define OF_FILE(kind, name, declared, passed)                                                     \
  int name declared {                                                                             \
    if (fails(kind, file, NULL)) return -1;                                                       \
    return REAL(name) passed;                                                                     \
  }

OF_FILE(SYNC, fsync, (int file), (file))
OF_FILE(SYNC, fdatasync, (int file), (file))
OF_FILE(TRUNCATE, ftruncate, (int file, off_t size), (file, size))
OF_FILE(TRUNCATE, ftruncate64, (int file, off64_t size), (file, size))
OF_FILE(TRUNCATE, fallocate, (int file, int mode, off_t offset, off_t size),
        (file, mode, offset, size))
OF_FILE(TRUNCATE, fallocate64, (int file, int mode, off64_t offset, off64_t size),
        (file, mode, offset, size))

#define OF_PATH(kind, name, folder, path, declared, passed)                                       \
  int name declared {                                                                             \
    if (fails(kind, folder, path)) return -1;                                                     \
    return REAL(name) passed;                                                                     \
  }

OF_PATH(RENAME, rename, AT_FDCWD, to, (const char *from, const char *to), (from, to))
OF_PATH(RENAME, renameat, there, to, (int here, const char *from, int there, const char *to),
        (here, from, there, to))
OF_PATH(RENAME, renameat2, there, to,
        (int here, const char *from, int there, const char *to, unsigned flags),
        (here, from, there, to, flags))
OF_PATH(UNLINK, unlink, AT_FDCWD, path, (const char *path), (path))
OF_PATH(UNLINK, unlinkat, folder, path, (int folder, const char *path, int flags),
        (folder, path, flags))
OF_PATH(UNLINK, rmdir, AT_FDCWD, path, (const char *path), (path))
OF_PATH(LINK, link, AT_FDCWD, to, (const char *from, const char *to), (from, to))
OF_PATH(LINK, linkat, there, to,
        (int here, const char *from, int there, const char *to, int flags),
        (here, from, there, to, flags))
OF_PATH(LINK, symlink, AT_FDCWD, to, (const char *from, const char *to), (from, to))
OF_PATH(MKDIR, mkdir, AT_FDCWD, path, (const char *path, mode_t mode), (path, mode))
OF_PATH(MKDIR, mkdirat, folder, path, (int folder, const char *path, mode_t mode),
        (folder, path, mode))
OF_PATH(TRUNCATE, truncate, AT_FDCWD, path, (const char *path, off_t size), (path, size))
OF_PATH(TRUNCATE, truncate64, AT_FDCWD, path, (const char *path, off64_t size), (path, size))

/* -- the clock */

static time_t behind(void) {
  if (control == NULL || control->clock_after == 0) return 0;
  int count = __atomic_add_fetch(&control->clock_count, 1, __ATOMIC_SEQ_CST);
  return count > control->clock_after ? control->clock_seconds : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int result = (int)syscall(SYS_clock_gettime, clock, now);
  if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec -= behind();
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec exact;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *result) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (result != NULL) *result = exact.tv_sec;
  return exact.tv_sec;
}
