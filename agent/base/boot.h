/* base/boot.h: which start of the machine this is. Any thread. */
#ifndef BASE_BOOT_H
#define BASE_BOOT_H

/* A text that is another one after each boot (/proc/sys/kernel/random/boot_id, random(4)); "" where it is not told. */
#define BOOT_ID_SIZE 40
void boot_id(char id[BOOT_ID_SIZE]);

#endif
