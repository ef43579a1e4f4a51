// What Node's own library does not offer. Everything here converts and frees; decisions are made in TypeScript.
#include <napi.h>

namespace a3s {
void RegisterHypervisor(Napi::Env env, Napi::Object exports);
void RegisterKernel(Napi::Env env, Napi::Object exports);
void RegisterLibkrun(Napi::Env env, Napi::Object exports);
void RegisterProcess(Napi::Env env, Napi::Object exports);
#ifndef _WIN32
void RegisterFifo(Napi::Env env, Napi::Object exports);
#endif
#ifdef __linux__
void RegisterHeap(Napi::Env env, Napi::Object exports);
void RegisterMemoryFile(Napi::Env env, Napi::Object exports);
void RegisterSockets(Napi::Env env, Napi::Object exports);
void RegisterTsc(Napi::Env env, Napi::Object exports);
#endif
}  // namespace a3s

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  a3s::RegisterHypervisor(env, exports);
  a3s::RegisterKernel(env, exports);
  a3s::RegisterLibkrun(env, exports);
  a3s::RegisterProcess(env, exports);
#ifndef _WIN32
  a3s::RegisterFifo(env, exports);
#endif
#ifdef __linux__
  a3s::RegisterHeap(env, exports);
  a3s::RegisterMemoryFile(env, exports);
  a3s::RegisterSockets(env, exports);
  a3s::RegisterTsc(env, exports);
#endif
  return exports;
}

NODE_API_MODULE(a3s_box_native, Init)
