// Asks Windows about the Windows Hypervisor Platform.
#include <windows.h>

#include "errors.h"

namespace a3s {
namespace {

// WHvGetCapability and WHvCapabilityCodeHypervisorPresent, spelt out: the headers of the build machine may lack them.
using GetCapability = HRESULT(WINAPI*)(int code, void* buffer, UINT32 size, UINT32* written);
constexpr int kHypervisorPresent = 0;

// hypervisorSupport(): whether the feature is switched on and its hypervisor runs.
Napi::Value HypervisorSupport(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  HMODULE library = LoadLibraryExW(L"WinHvPlatform.dll", nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (library == nullptr) return Napi::Boolean::New(env, false);
  auto get_capability = reinterpret_cast<GetCapability>(GetProcAddress(library, "WHvGetCapability"));
  BOOL present = FALSE;
  UINT32 written = 0;
  const bool known = get_capability != nullptr &&
                     SUCCEEDED(get_capability(kHypervisorPresent, &present, sizeof present, &written));
  FreeLibrary(library);
  return Napi::Boolean::New(env, known && present != FALSE);
}

}  // namespace

void RegisterHypervisor(Napi::Env env, Napi::Object exports) {
  exports.Set("hypervisorSupport", Napi::Function::New<HypervisorSupport>(env, "hypervisorSupport"));
}

}  // namespace a3s
