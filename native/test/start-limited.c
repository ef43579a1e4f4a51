// start-limited COMMAND-LINE: runs a program of Windows without an administrator's rights and ends with its status.
#include <stdio.h>
#include <windows.h>

static int fail(const char *what) {
  fprintf(stderr, "start-limited: %s: error %lu\n", what, GetLastError());
  return 120;
}

int main(int count, char **values) {
  SID_IDENTIFIER_AUTHORITY authority = SECURITY_NT_AUTHORITY;
  SID_AND_ATTRIBUTES administrators = {0};
  HANDLE own, limited;
  if (count != 2) return fail("usage");
  if (!AllocateAndInitializeSid(&authority, 2, SECURITY_BUILTIN_DOMAIN_RID, DOMAIN_ALIAS_RID_ADMINS, 0, 0, 0, 0, 0, 0,
                                &administrators.Sid)) {
    return fail("AllocateAndInitializeSid");
  }
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ALL_ACCESS, &own)) return fail("OpenProcessToken");
  if (!CreateRestrictedToken(own, 0, 1, &administrators, 0, NULL, 0, NULL, &limited)) return fail("CreateRestrictedToken");
  STARTUPINFOA startup = {.cb = sizeof startup,
                          .dwFlags = STARTF_USESTDHANDLES,
                          .hStdInput = GetStdHandle(STD_INPUT_HANDLE),
                          .hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE),
                          .hStdError = GetStdHandle(STD_ERROR_HANDLE)};
  PROCESS_INFORMATION process;
  if (!CreateProcessAsUserA(limited, NULL, values[1], NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process)) {
    return fail("CreateProcessAsUser");
  }
  DWORD status = 121;
  WaitForSingleObject(process.hProcess, INFINITE);
  GetExitCodeProcess(process.hProcess, &status);
  return (int)status;
}
