/* Makes one call of the system fail, in a program that was not built for it: with LD_PRELOAD and, in the environment,
 *
 *   MOESCOPE_FAULT_CALL    read, pread, write, pwrite, open, stat, fsync or pthread_create
 *   MOESCOPE_FAULT_PATH    which file: one of whose name this is a part (not for pthread_create)
 *   MOESCOPE_FAULT_AT      which of these calls: the first is 1; "3+" is the third and all after it
 *   MOESCOPE_FAULT_ERRNO   the error; 0: nothing was read or written, and it is no error
 *   MOESCOPE_FAULT_COUNT   without MOESCOPE_FAULT_AT: the file to which the number of these calls is written at the end
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_long calls;

static int fails(const char* call, const char* path) {
  const char* wanted = getenv("MOESCOPE_FAULT_CALL");
  const char* part = getenv("MOESCOPE_FAULT_PATH");
  if (!wanted || strcmp(wanted, call) != 0) return 0;
  if (part && path && !strstr(path, part)) return 0;
  const long number = atomic_fetch_add(&calls, 1) + 1;
  const char* at = getenv("MOESCOPE_FAULT_AT");
  if (!at) return 0;
  return strchr(at, '+') ? number >= atol(at) : number == atol(at);
}

static int fails_at(const char* call, int descriptor) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return fails(call, path);
}

static long failure(void) {
  const char* number = getenv("MOESCOPE_FAULT_ERRNO");
  errno = number ? atoi(number) : EIO;
  return errno ? -1 : 0;
}

__attribute__((destructor)) static void count(void) {
  const char* path = getenv("MOESCOPE_FAULT_COUNT");
  FILE* file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%ld\n", atomic_load(&calls));
  fclose(file);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define READER(name, call, parameters, arguments, descriptor)                \
  ssize_t name parameters {                                                  \
    return fails_at(call, descriptor) ? failure() : NEXT(name) arguments;    \
  }
READER(read, "read", (int fd, void* to, size_t size), (fd, to, size), fd)
READER(write, "write", (int fd, const void* from, size_t size), (fd, from, size), fd)
READER(pread, "pread", (int fd, void* to, size_t size, off_t at), (fd, to, size, at), fd)
READER(pread64, "pread", (int fd, void* to, size_t size, off64_t at), (fd, to, size, at), fd)
READER(pwrite, "pwrite", (int fd, const void* from, size_t size, off_t at), (fd, from, size, at), fd)
READER(pwrite64, "pwrite", (int fd, const void* from, size_t size, off64_t at), (fd, from, size, at), fd)

int fsync(int fd) {
  return fails_at("fsync", fd) ? (int)failure() : NEXT(fsync)(fd);
}
int stat(const char* path, struct stat* to) {
  return fails("stat", path) ? (int)failure() : NEXT(stat)(path, to);
}
int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
  va_end(more);
  return fails("open", path) ? (int)failure() : NEXT(open)(path, flags, mode);
}
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*work)(void*), void* data) {
  if (!fails("pthread_create", NULL)) return NEXT(pthread_create)(thread, attributes, work, data);
  failure();
  return errno;
}
