// Files that live in memory only, without a name.
#include <fcntl.h>
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

Napi::Value CreateMemory(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::string name = info[0].As<Napi::String>();
  const int64_t size = info[1].As<Napi::Number>().Int64Value();
  const int target = memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (target < 0) {
    ThrowErrno(env, "memfd_create", errno, name);
    return env.Undefined();
  }
  if (ftruncate(target, size) != 0) {
    const int number = errno;
    close(target);
    ThrowErrno(env, "ftruncate", number, name);
    return env.Undefined();
  }
  return Napi::Number::New(env, target);
}

Napi::Value SealMemory(const Napi::CallbackInfo& info) {
  const int file = info[0].As<Napi::Number>().Int32Value();
  if (fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    ThrowErrno(info.Env(), "fcntl", errno);
  }
  return info.Env().Undefined();
}

Napi::Value DataExtents(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int file = info[0].As<Napi::Number>().Int32Value();
  Napi::Array extents = Napi::Array::New(env);
  off_t end = 0;
  for (uint32_t count = 0;; ++count) {
    const off_t start = lseek(file, end, SEEK_DATA);
    // Nothing but a hole follows.
    if (start < 0 && errno == ENXIO) return extents;
    if (start >= 0) end = lseek(file, start, SEEK_HOLE);
    if (start < 0 || end < 0) {
      ThrowErrno(env, "lseek", errno);
      return env.Undefined();
    }
    Napi::Array extent = Napi::Array::New(env, 2);
    extent.Set(0u, Napi::Number::New(env, static_cast<double>(start)));
    extent.Set(1u, Napi::Number::New(env, static_cast<double>(end - start)));
    extents.Set(count, extent);
  }
}

}  // namespace

void RegisterMemoryFile(Napi::Env env, Napi::Object exports) {
  exports.Set("copyToMemory", Napi::Function::New<CopyToMemory>(env, "copyToMemory"));
  exports.Set("createMemory", Napi::Function::New<CreateMemory>(env, "createMemory"));
  exports.Set("sealMemory", Napi::Function::New<SealMemory>(env, "sealMemory"));
  exports.Set("dataExtents", Napi::Function::New<DataExtents>(env, "dataExtents"));
}

}  // namespace a3s
