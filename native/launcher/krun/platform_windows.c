#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <windows.h>

#include "platform.h"
#include "status.h"

// An elevated token is what root is elsewhere.
void platform_drop_privileges(void) {
  HANDLE token;
  TOKEN_ELEVATION elevation = {0};
  DWORD size = 0;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) {
    status_fail("identity", "", 0, "cannot look at the process's token (error %lu)", GetLastError());
  }
  const BOOL known = GetTokenInformation(token, TokenElevation, &elevation, sizeof elevation, &size);
  CloseHandle(token);
  if (!known) status_fail("identity", "", 0, "cannot look at the process's elevation (error %lu)", GetLastError());
  if (elevation.TokenIsElevated) status_fail("identity", "", 0, "the launcher does not run elevated");
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
