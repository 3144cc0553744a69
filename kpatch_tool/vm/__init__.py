"""The guest: kernel + minimal root + QEMU. Knows nothing of patches."""
