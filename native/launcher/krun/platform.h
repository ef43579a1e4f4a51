// What differs between operating systems.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Gives up what a process of this system can give up by itself, before anything is read. On Linux that is nothing: what
// starts the launcher has confined it already. Fails with step `identity` where the launcher has rights that it must not.
void platform_drop_privileges(void);

// Makes descriptors bytes-exact and not inherited by children.
void platform_prepare_descriptor(int descriptor);

// Closes all descriptors but the standard ones and `keep`, which is in ascending order. Fails with step `descriptors`.
void platform_close_descriptors(const int *keep, size_t count);

// Loads a shared library. Returns NULL with the loader's reason in `message`.
void *platform_load(const char *path, char *message, size_t size);

// A function of a library, or NULL.
void *platform_symbol(void *library, const char *name);
