#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <windows.h>

#include "platform.h"
#include "status.h"

// An administrator's enabled rights are what root is elsewhere. A user who could have them but has not passes.
void platform_drop_privileges(void) {
  SID_IDENTIFIER_AUTHORITY authority = SECURITY_NT_AUTHORITY;
  PSID administrators = NULL;
  BOOL member = TRUE;
  const BOOL made = AllocateAndInitializeSid(&authority, 2, SECURITY_BUILTIN_DOMAIN_RID, DOMAIN_ALIAS_RID_ADMINS, 0, 0, 0,
                                             0, 0, 0, &administrators);
  if (!made || !CheckTokenMembership(NULL, administrators, &member)) {
    status_fail("identity", "", 0, "cannot look at the process's rights (error %lu)", GetLastError());
  }
  FreeSid(administrators);
  if (member) status_fail("identity", "", 0, "the launcher does not run with an administrator's rights");
}

void platform_prepare_descriptor(int descriptor) {
  if (_setmode(descriptor, _O_BINARY) < 0) {
    status_fail("arguments", "", 0, "descriptor %d is not open", descriptor);
  }
}

// A process of Windows inherits only what it was given, and nobody starts a child here.
void platform_close_descriptors(const int *keep, size_t count) {
  (void)keep;
  (void)count;
}

void *platform_load(const char *path, char *message, size_t size) {
  wchar_t wide[4096];
  HMODULE library = NULL;
  if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, sizeof wide / sizeof wide[0]) > 0) {
    library = LoadLibraryExW(wide, NULL, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32);
  }
  if (library == NULL) snprintf(message, size, "error %lu", GetLastError());
  return (void *)library;
}

void *platform_symbol(void *library, const char *name) { return (void *)GetProcAddress((HMODULE)library, name); }
