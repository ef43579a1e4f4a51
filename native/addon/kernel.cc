// Reads the kernel out of libkrunfw.
#include <dlfcn.h>

#include "errors.h"

namespace a3s {
namespace {

using GetKernel = char* (*)(size_t* load_address, size_t* entry_address, size_t* size);
using GetVersion = int (*)();

void ThrowLoader(Napi::Env env, const char* what) {
  const char* reason = dlerror();
  Napi::Error::New(env, std::string(what) + " failed: " + (reason == nullptr ? "no symbol" : reason))
      .ThrowAsJavaScriptException();
}

Napi::Value ExtractKernel(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::string path = info[0].As<Napi::String>();
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    ThrowLoader(env, "dlopen");
    return env.Undefined();
  }
  // POSIX promises that a function pointer survives the round trip through void*.
  auto get_kernel = reinterpret_cast<GetKernel>(dlsym(library, "krunfw_get_kernel"));
  auto get_version = reinterpret_cast<GetVersion>(dlsym(library, "krunfw_get_version"));
  if (get_kernel == nullptr || get_version == nullptr) {
    ThrowLoader(env, "dlsym");
    dlclose(library);
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
  dlclose(library);
  return result;
}

}  // namespace

void RegisterKernel(Napi::Env env, Napi::Object exports) {
  exports.Set("extractKernel", Napi::Function::New<ExtractKernel>(env, "extractKernel"));
}

}  // namespace a3s
