// One reading of the time-stamp counter together with the clock that it is to be measured by.
#include <ctime>

#include "errors.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace a3s {
namespace {

Napi::Value SampleTsc(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
#if defined(__x86_64__)
  // The narrowest of a few brackets: one that was interrupted in between is off by the interruption's length.
  uint64_t best_width = UINT64_MAX;
  uint64_t best_counter = 0;
  uint64_t best_time = 0;
  for (int attempt = 0; attempt < 16; ++attempt) {
    timespec now;
    unsigned core;
    const uint64_t before = __rdtscp(&core);
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    const uint64_t width = __rdtscp(&core) - before;
    if (width < best_width) {
      best_width = width;
      best_counter = before + width / 2;
      best_time = static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
    }
  }
  Napi::Object sample = Napi::Object::New(env);
  sample.Set("counter", Napi::BigInt::New(env, best_counter));
  sample.Set("nanoseconds", Napi::BigInt::New(env, best_time));
  return sample;
#else
  ThrowErrno(env, "rdtsc", ENOTSUP);
  return env.Undefined();
#endif
}

}  // namespace

void RegisterTsc(Napi::Env env, Napi::Object exports) {
  exports.Set("sampleTsc", Napi::Function::New<SampleTsc>(env, "sampleTsc"));
}

}  // namespace a3s
