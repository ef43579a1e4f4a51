// Looks at a libkrun library: what it exports, and what it was built with.
#include <cstdint>

#include "errors.h"
#include "shared_library.h"

namespace a3s {
namespace {

using HasFeature = int32_t (*)(uint64_t feature);
using Any = void (*)();

// inspectLibkrun(path, functionNames, featureNumbers): which functions there are, and what krun_has_feature says of each
// feature (absent where there is no such function). Nothing else of the library is run.
Napi::Value InspectLibkrun(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::string path = info[0].As<Napi::String>();
  const Napi::Array names = info[1].As<Napi::Array>();
  const Napi::Array features = info[2].As<Napi::Array>();
  const SharedLibrary library(path);
  if (!library.loaded()) {
    Napi::Error::New(env, library.reason()).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  Napi::Array present = Napi::Array::New(env);
  for (uint32_t index = 0; index < names.Length(); ++index) {
    const std::string name = names.Get(index).As<Napi::String>();
    if (library.Find<Any>(name.c_str()) != nullptr) present.Set(present.Length(), name);
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("functions", present);
  const auto has_feature = library.Find<HasFeature>("krun_has_feature");
  if (has_feature == nullptr) return result;
  Napi::Array answers = Napi::Array::New(env, features.Length());
  for (uint32_t index = 0; index < features.Length(); ++index) {
    const int64_t feature = features.Get(index).As<Napi::Number>();
    answers.Set(index, Napi::Boolean::New(env, has_feature(static_cast<uint64_t>(feature)) == 1));
  }
  result.Set("features", answers);
  return result;
}

}  // namespace

void RegisterLibkrun(Napi::Env env, Napi::Object exports) {
  exports.Set("inspectLibkrun", Napi::Function::New<InspectLibkrun>(env, "inspectLibkrun"));
}

}  // namespace a3s
