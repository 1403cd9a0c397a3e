/* Preloaded into the program by a test: the wall clock jumps by CLOCK_JUMP_S seconds, forth and
   back, every CLOCK_JUMP_EVERY calls. The monotonic clock is left alone, as on a real machine. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long jump(void) {
    static long calls;
    const char* seconds = getenv("CLOCK_JUMP_S");
    const char* every = getenv("CLOCK_JUMP_EVERY");
    const long n = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    const long period = every ? atol(every) : 1;
    return seconds && n / period % 2 == 1 ? atol(seconds) : 0;
}

int clock_gettime(clockid_t id, struct timespec* out) {
    static int (*real)(clockid_t, struct timespec*);
    if (!real) {
        real = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
    }
    const int code = real(id, out);
    if (code == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        out->tv_sec += jump();
    }
    return code;
}

int gettimeofday(struct timeval* restrict out, void* restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t* out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}
