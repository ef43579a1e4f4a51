// What Node's own library does not offer. Everything here converts and frees; decisions are made in TypeScript.
#include <napi.h>

#ifdef __linux__
namespace a3s {
void RegisterKernel(Napi::Env env, Napi::Object exports);
void RegisterMemoryFile(Napi::Env env, Napi::Object exports);
void RegisterProcess(Napi::Env env, Napi::Object exports);
void RegisterSockets(Napi::Env env, Napi::Object exports);
void RegisterTsc(Napi::Env env, Napi::Object exports);
}  // namespace a3s
#endif

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
#ifdef __linux__
  a3s::RegisterKernel(env, exports);
  a3s::RegisterMemoryFile(env, exports);
  a3s::RegisterProcess(env, exports);
  a3s::RegisterSockets(env, exports);
  a3s::RegisterTsc(env, exports);
#else
  (void)env;
#endif
  return exports;
}

NODE_API_MODULE(a3s_box_native, Init)
