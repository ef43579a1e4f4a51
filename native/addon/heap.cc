// How malloc keeps large blocks.
#include "errors.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace a3s {
namespace {

Napi::Value FixMmapThreshold(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
#ifdef __GLIBC__
  return Napi::Boolean::New(env, mallopt(M_MMAP_THRESHOLD, info[0].As<Napi::Number>().Int32Value()) == 1);
#else
  return Napi::Boolean::New(env, false);
#endif
}

}  // namespace

void RegisterHeap(Napi::Env env, Napi::Object exports) {
  exports.Set("fixMmapThreshold", Napi::Function::New<FixMmapThreshold>(env, "fixMmapThreshold"));
}

}  // namespace a3s
