// Asks macOS about Hypervisor.framework.
#include <sys/sysctl.h>

#include "errors.h"

namespace a3s {
namespace {

// hypervisorSupport(): whether this Mac, and whatever it itself runs in, lets a process make virtual machines. The
// entitlement that the process needs besides is the launcher's.
Napi::Value HypervisorSupport(const Napi::CallbackInfo& info) {
  int supported = 0;
  size_t size = sizeof supported;
  if (sysctlbyname("kern.hv_support", &supported, &size, nullptr, 0) != 0) {
    ThrowErrno(info.Env(), "sysctlbyname", errno, "kern.hv_support");
    return info.Env().Undefined();
  }
  return Napi::Boolean::New(info.Env(), supported != 0);
}

}  // namespace

void RegisterHypervisor(Napi::Env env, Napi::Object exports) {
  exports.Set("hypervisorSupport", Napi::Function::New<HypervisorSupport>(env, "hypervisorSupport"));
}

}  // namespace a3s
