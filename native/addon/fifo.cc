// Named pipes of systems that have them as files.
#include <sys/stat.h>

#include "errors.h"

namespace a3s {
namespace {

Napi::Value MakeFifo(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::string path = info[0].As<Napi::String>();
  if (mkfifo(path.c_str(), 0600) != 0) ThrowErrno(env, "mkfifo", errno, path);
  return env.Undefined();
}

}  // namespace

void RegisterFifo(Napi::Env env, Napi::Object exports) {
  exports.Set("makeFifo", Napi::Function::New<MakeFifo>(env, "makeFifo"));
}

}  // namespace a3s
