// Reads the kernel out of libkrunfw.
#include "errors.h"
#include "shared_library.h"

namespace a3s {
namespace {

using GetKernel = char* (*)(size_t* load_address, size_t* entry_address, size_t* size);
using GetVersion = int (*)();

Napi::Value ExtractKernel(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::string path = info[0].As<Napi::String>();
  const SharedLibrary library(path);
  if (!library.loaded()) {
    Napi::Error::New(env, "dlopen failed: " + library.reason()).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const auto get_kernel = library.Find<GetKernel>("krunfw_get_kernel");
  const auto get_version = library.Find<GetVersion>("krunfw_get_version");
  if (get_kernel == nullptr || get_version == nullptr) {
    const char* missing = get_kernel == nullptr ? "krunfw_get_kernel" : "krunfw_get_version";
    Napi::Error::New(env, "dlsym failed: " + path + " has no " + missing).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  size_t load_address = 0;
  size_t entry_address = 0;
  size_t size = 0;
  const char* image = get_kernel(&load_address, &entry_address, &size);
  Napi::Object result = Napi::Object::New(env);
  result.Set("image", Napi::Buffer<char>::Copy(env, image, size));
  result.Set("loadAddress", Napi::BigInt::New(env, static_cast<uint64_t>(load_address)));
  result.Set("entryAddress", Napi::BigInt::New(env, static_cast<uint64_t>(entry_address)));
  result.Set("version", Napi::Number::New(env, get_version()));
  return result;
}

}  // namespace

void RegisterKernel(Napi::Env env, Napi::Object exports) {
  exports.Set("extractKernel", Napi::Function::New<ExtractKernel>(env, "extractKernel"));
}

}  // namespace a3s
