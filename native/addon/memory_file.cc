// Files that live in memory only, without a name.
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errors.h"

namespace a3s {
namespace {

Napi::Value CopyToMemory(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int source = info[0].As<Napi::Number>().Int32Value();
  const std::string name = info[1].As<Napi::String>();
  struct stat status;
  if (fstat(source, &status) != 0) {
    ThrowErrno(env, "fstat", errno, name);
    return env.Undefined();
  }
  const int target = memfd_create(name.c_str(), MFD_CLOEXEC);
  if (target < 0) {
    ThrowErrno(env, "memfd_create", errno, name);
    return env.Undefined();
  }
  off_t position = 0;
  while (position < status.st_size) {
    const ssize_t sent = sendfile(target, source, &position, static_cast<size_t>(status.st_size - position));
    if (sent > 0 || (sent < 0 && errno == EINTR)) continue;
    const int number = sent == 0 ? EIO : errno;
    close(target);
    ThrowErrno(env, "sendfile", number, name);
    return env.Undefined();
  }
  return Napi::Number::New(env, target);
}

}  // namespace

void RegisterMemoryFile(Napi::Env env, Napi::Object exports) {
  exports.Set("copyToMemory", Napi::Function::New<CopyToMemory>(env, "copyToMemory"));
}

}  // namespace a3s
