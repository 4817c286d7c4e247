// Puts other clocks in front of the C library's, for programs that are linked with this.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result != 0) return result;
    // The wall clock shows this time.
    const char *seconds = getenv("TEST_CLOCK_SECONDS");
    if (seconds && clock == CLOCK_REALTIME) now->tv_sec = atoll(seconds);
    // Clocks have gone on by so many seconds, from the moment that a file is there: all of them, or as
    // when the machine itself slept.
    if (getenv("TEST_MACHINE_SLEPT") && clock == CLOCK_MONOTONIC) return result;
    const char *slept = getenv("TEST_SLEPT_SECONDS"), *from = getenv("TEST_SLEPT_FROM");
    if (slept && from && access(from, F_OK) == 0) now->tv_sec += atoll(slept);
    return result;
}
