// Turns failed system calls into JavaScript errors shaped as Node's own.
#pragma once

#include <napi.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace a3s {

// Leaves a pending exception with `errno` (number), `syscall` and a message; the caller returns at once.
inline void ThrowErrno(Napi::Env env, const char* syscall, int number, const std::string& subject = {}) {
  std::string message = std::string(syscall) + " failed: " + std::strerror(number);
  if (!subject.empty()) message += ": " + subject;
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("errno", Napi::Number::New(env, number));
  error.Set("syscall", Napi::String::New(env, syscall));
  error.ThrowAsJavaScriptException();
}

}  // namespace a3s
