/* Makes one change of the filesystem go wrong. Preloaded (LD_PRELOAD) into a program; tests/faults/injection.py has the
 * other half. Linux with glibc or musl: ld.so(8), dlsym(3).
 *
 * FAULTS_BELOW  only changes below this folder count
 * FAULTS_LOG    one line for each of them: number, call, what it needs, paths
 * FAULTS_AT     the number of the change that goes wrong; 0: none
 * FAULTS_KIND   kill  ended by SIGKILL before the change
 *               torn  ended after it, and after the first half of a write
 *               once  it fails with FAULTS_ERRNO
 *               on    it fails, and so does each later one that FAULTS_NEEDS names
 * FAULTS_NEEDS  any, space (it makes something larger) or file (it opens one)
 * FAULTS_SHARED the counter of a program and all that it starts; without it only the program itself is watched
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { COUNT, KILL, TORN, ONCE, ON };
enum needs { ANY = 0, SPACE = 1, FILE_ = 2 };
enum verdict { PASS, FAIL, DIE };

static char below[PATH_MAX], log_path[PATH_MAX];
static enum kind kind;
static int needs, number, at;
static pid_t watched; /* 0: this program and all that it starts */
static atomic_int own, *seen = &own;

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

__attribute__((constructor)) static void begin(void) {
    static const char *kinds[] = {"count", "kill", "torn", "once", "on"};
    const char *shared = getenv("FAULTS_SHARED");
    if (!getenv("FAULTS_LOG")) return;
    snprintf(below, sizeof below, "%s", variable("FAULTS_BELOW"));
    snprintf(log_path, sizeof log_path, "%s", variable("FAULTS_LOG"));
    at = atoi(variable("FAULTS_AT"));
    number = atoi(variable("FAULTS_ERRNO"));
    needs = !strcmp(variable("FAULTS_NEEDS"), "space") ? SPACE : !strcmp(variable("FAULTS_NEEDS"), "file") ? FILE_ : ANY;
    for (int each = COUNT; each <= ON; each++)
        if (!strcmp(variable("FAULTS_KIND"), kinds[each])) kind = each;
    if (!shared) {
        watched = getpid();
        unsetenv("LD_PRELOAD"); /* what it starts is not watched */
        return;
    }
    int file = syscall(SYS_openat, AT_FDCWD, shared, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    syscall(SYS_ftruncate, file, sizeof *seen);
    void *memory = mmap(0, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    syscall(SYS_close, file);
    if (memory != MAP_FAILED) seen = memory;
}

/* The absolute path that a call means: of a name below an open folder, or of an open file (name is NULL). */
static const char *path_of(int folder, const char *name, char *room) {
    char link[64];
    ssize_t length;
    if (name && (*name == '/' || folder == AT_FDCWD)) {
        if (*name == '/') return name;
        if (!getcwd(room, PATH_MAX)) return name;
        length = strlen(room);
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        length = syscall(SYS_readlinkat, AT_FDCWD, link, room, PATH_MAX - 1);
        if (length < 0) return name ? name : "";
        room[length] = 0;
    }
    if (name) snprintf(room + length, PATH_MAX - length, "/%s", name);
    return room;
}

static int is_below(const char *path) {
    size_t length = strlen(below);
    return !strncmp(path, below, length) && (path[length] == '/' || !path[length]);
}

static enum verdict judge(const char *call, int wants, const char *one, const char *other) {
    char line[2 * PATH_MAX + 100];
    if (!*log_path || (watched && getpid() != watched) || !(is_below(one) || is_below(other))) return PASS;
    int count = atomic_fetch_add(seen, 1) + 1;
    const char *need = wants == SPACE ? "space" : wants == FILE_ ? "file" : wants ? "space,file" : "-";
    int length = snprintf(line, sizeof line, "%d\t%s\t%s\t%s\t%s\n", count, call, need, one, other);
    int file = syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    syscall(SYS_write, file, line, length);
    syscall(SYS_close, file);
    if (kind == KILL && count == at) kill(getpid(), SIGKILL);
    if (kind == TORN && count == at) return DIE;
    if ((kind == ONCE && count == at) || (kind == ON && at && count >= at && (!needs || wants & needs))) {
        errno = number;
        return FAIL;
    }
    return PASS;
}

static long ended(enum verdict verdict, long result) {
    if (verdict == DIE) kill(getpid(), SIGKILL);
    return result;
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
/* A function of one or two paths: its parameters, what it needs, the folder and name of each path, its arguments. */
#define ONE(name, parameters, wants, folder, path, ...) \
    int name parameters { \
        char room[PATH_MAX]; REAL(name); \
        enum verdict verdict = judge(#name, wants, path_of(folder, path, room), ""); \
        return verdict == FAIL ? -1 : (int)ended(verdict, real(__VA_ARGS__)); \
    }
#define TWO(name, parameters, wants, from, one, to, other, ...) \
    int name parameters { \
        char room[PATH_MAX], more[PATH_MAX]; REAL(name); \
        enum verdict verdict = judge(#name, wants, path_of(from, one, room), path_of(to, other, more)); \
        return verdict == FAIL ? -1 : (int)ended(verdict, real(__VA_ARGS__)); \
    }
#define HERE AT_FDCWD

TWO(rename, (const char *a, const char *b), ANY, HERE, a, HERE, b, a, b)
TWO(renameat, (int x, const char *a, int y, const char *b), ANY, x, a, y, b, x, a, y, b)
TWO(renameat2, (int x, const char *a, int y, const char *b, unsigned f), ANY, x, a, y, b, x, a, y, b, f)
TWO(link, (const char *a, const char *b), SPACE, HERE, a, HERE, b, a, b)
TWO(linkat, (int x, const char *a, int y, const char *b, int f), SPACE, x, a, y, b, x, a, y, b, f)
ONE(symlink, (const char *a, const char *b), SPACE, HERE, b, a, b)
ONE(symlinkat, (const char *a, int x, const char *b), SPACE, x, b, a, x, b)
ONE(unlink, (const char *a), ANY, HERE, a, a)
ONE(unlinkat, (int x, const char *a, int f), ANY, x, a, x, a, f)
ONE(remove, (const char *a), ANY, HERE, a, a)
ONE(mkdir, (const char *a, mode_t m), SPACE, HERE, a, a, m)
ONE(mkdirat, (int x, const char *a, mode_t m), SPACE, x, a, x, a, m)
ONE(rmdir, (const char *a), ANY, HERE, a, a)
ONE(chmod, (const char *a, mode_t m), ANY, HERE, a, a, m)
ONE(fchmod, (int x, mode_t m), ANY, x, NULL, x, m)
ONE(fchmodat, (int x, const char *a, mode_t m, int f), ANY, x, a, x, a, m, f)
ONE(chown, (const char *a, uid_t u, gid_t g), ANY, HERE, a, a, u, g)
ONE(lchown, (const char *a, uid_t u, gid_t g), ANY, HERE, a, a, u, g)
ONE(fchown, (int x, uid_t u, gid_t g), ANY, x, NULL, x, u, g)
ONE(fchownat, (int x, const char *a, uid_t u, gid_t g, int f), ANY, x, a, x, a, u, g, f)
ONE(truncate64, (const char *a, off64_t o), ANY, HERE, a, a, o)
ONE(ftruncate64, (int x, off64_t o), ANY, x, NULL, x, o)
ONE(fsync, (int x), ANY, x, NULL, x)
ONE(fdatasync, (int x), ANY, x, NULL, x)
ONE(utimensat, (int x, const char *a, const struct timespec t[2], int f), ANY, x, a, x, a, t, f)
ONE(futimens, (int x, const struct timespec t[2]), ANY, x, NULL, x, t)

#define IS_WRITTEN(flags) ((flags) & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR))
#define OPEN(name, parameters, folder, ...) \
    int name parameters { \
        char room[PATH_MAX]; mode_t mode = 0; enum verdict verdict = PASS; REAL(name); \
        if (flags & (O_CREAT | O_TMPFILE)) { va_list list; va_start(list, flags); mode = va_arg(list, int); va_end(list); } \
        if (IS_WRITTEN(flags)) \
            verdict = judge(#name, FILE_ | (flags & O_CREAT ? SPACE : 0), path_of(folder, path, room), ""); \
        return verdict == FAIL ? -1 : (int)ended(verdict, real(__VA_ARGS__, flags, mode)); \
    }
OPEN(open, (const char *path, int flags, ...), HERE, path)
OPEN(open64, (const char *path, int flags, ...), HERE, path)
OPEN(openat, (int folder, const char *path, int flags, ...), folder, folder, path)
OPEN(openat64, (int folder, const char *path, int flags, ...), folder, folder, path)

static int is_regular(int file) {
    struct stat status;
    return *log_path && !fstat(file, &status) && S_ISREG(status.st_mode);
}

#define BYTES(name, parameters, file, ...) \
    ssize_t name parameters { \
        char room[PATH_MAX]; enum verdict verdict = PASS; REAL(name); \
        if (is_regular(file)) verdict = judge(#name, SPACE, path_of(file, NULL, room), ""); \
        if (verdict == FAIL) return -1; \
        if (verdict == DIE) size -= size / 2; \
        return ended(verdict, real(__VA_ARGS__)); \
    }
BYTES(write, (int file, const void *data, size_t size), file, file, data, size)
BYTES(pwrite64, (int file, const void *data, size_t size, off64_t start), file, file, data, size, start)
BYTES(sendfile64, (int file, int from, off64_t *start, size_t size), file, file, from, start, size)
BYTES(copy_file_range, (int from, off64_t *start, int file, off64_t *place, size_t size, unsigned flags), file, from, start,
      file, place, size, flags)
