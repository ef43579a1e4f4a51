// Asks the kernel about KVM.
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "errors.h"

namespace a3s {
namespace {

// openKvm(path): the interface's version and how many processors a machine may have. Throws when the device does not
// open, or is none.
Napi::Value OpenKvm(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::string path = info[0].As<Napi::String>();
  const int device = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (device < 0) {
    ThrowErrno(env, "open", errno, path);
    return env.Undefined();
  }
  const int version = ioctl(device, KVM_GET_API_VERSION, 0);
  const int number = errno;
  const int vcpus = ioctl(device, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
  close(device);
  if (version < 0) {
    ThrowErrno(env, "ioctl", number, path);
    return env.Undefined();
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("apiVersion", Napi::Number::New(env, version));
  result.Set("maxVcpus", Napi::Number::New(env, vcpus > 0 ? vcpus : 4));  // 4: what the interface says of old kernels.
  return result;
}

}  // namespace

void RegisterHypervisor(Napi::Env env, Napi::Object exports) {
  exports.Set("openKvm", Napi::Function::New<OpenKvm>(env, "openKvm"));
}

}  // namespace a3s
