// A C program that edits a file with the mmap of wasi-libc. It does the same as `bench peer`, with the same output.
//
// usage: mman DATA SCRATCH

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MIB (1 << 20)
#define EDITS 100
#define EDITED (64 * MIB)

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void count(const char *path, int mib) {
    size_t len = (size_t)mib * MIB, lines = 0;
    double start = now();
    int file = open(path, O_RDONLY);
    char *map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, file, 0);
    if (map == MAP_FAILED) {
        printf("count the lines of %d MiB\t%s\n", mib, strerror(errno));
        close(file);
        return;
    }
    for (size_t at = 0; at < len; at++) lines += map[at] == '\n';
    munmap(map, len);
    close(file);
    printf("count the lines of %d MiB\t%.0f\t%zu\n", mib, now() - start, lines);
}

// Every edit increments a byte, so the file shows which edits have reached it.
static size_t place(int edit) { return (size_t)edit * (EDITED / EDITS); }

static void edit(const char *path) {
    double start = now();
    int file = open(path, O_RDWR), arrived = 0;
    unsigned char *map = mmap(NULL, EDITED, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), new[EDITS], byte;
    if (map == MAP_FAILED) {
        printf("edit %d bytes of 64 MiB\t%s\n", EDITS, strerror(errno));
        close(file);
        return;
    }
    for (int i = 0; i < EDITS; i++) new[i] = ++map[place(i)];
    // There is no msync: wasi-libc declares it, but a program that calls it does not link.
    munmap(map, EDITED);
    double time = now() - start;
    for (int i = 0; i < EDITS; i++) {
        arrived += pread(file, &byte, 1, (off_t)place(i)) == 1 && byte == new[i];
    }
    close(file);
    printf("edit %d bytes of 64 MiB\t%.0f\t%d\n", EDITS, time, arrived);
}

int main(int argc, char **argv) {
    char text[256], edited[256];
    if (argc != 3) return 2;
    snprintf(text, sizeof text, "%s/text", argv[1]);
    snprintf(edited, sizeof edited, "%s/edited", argv[2]);
    count(text, 256);
    count(text, 64);
    edit(edited);
    return 0;
}
