// A process held by handle: while it is open the id is not given to another one, and its end is an event.
// First: it asks for the sockets' header before the system's.
#include <uv.h>
#include <windows.h>

#include "errors.h"

namespace a3s {
namespace {

constexpr int kNoSuchProcess = 3;  // ESRCH, as the other systems' addons say.
constexpr DWORD kRights = SYNCHRONIZE | PROCESS_TERMINATE | PROCESS_QUERY_LIMITED_INFORMATION;

// processStartTime(pid): its creation, in 100 ns since 1601; undefined when there is no such process, or it has ended.
Napi::Value ProcessStartTime(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const DWORD pid = info[0].As<Napi::Number>().Uint32Value();
  HANDLE process = OpenProcess(SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
  if (process == nullptr) return env.Undefined();
  FILETIME created, exited, kernel, user;
  const bool runs = WaitForSingleObject(process, 0) == WAIT_TIMEOUT;
  const bool known = runs && GetProcessTimes(process, &created, &exited, &kernel, &user);
  CloseHandle(process);
  if (!known) return env.Undefined();
  const uint64_t time = (static_cast<uint64_t>(created.dwHighDateTime) << 32) | created.dwLowDateTime;
  return Napi::String::New(env, std::to_string(time));
}

class ProcessHandle : public Napi::ObjectWrap<ProcessHandle> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "ProcessHandle",
                       {InstanceMethod<&ProcessHandle::Watch>("watch"), InstanceMethod<&ProcessHandle::Signal>("signal"),
                        InstanceMethod<&ProcessHandle::Close>("close")});
  }

  explicit ProcessHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ProcessHandle>(info) {
    process_ = OpenProcess(kRights, FALSE, info[0].As<Napi::Number>().Uint32Value());
    if (process_ != nullptr) return;
    ThrowErrno(info.Env(), "OpenProcess", GetLastError() == ERROR_INVALID_PARAMETER ? kNoSuchProcess : EACCES);
  }

  ~ProcessHandle() override { Release(); }

 private:
  // Owned by libuv from the start of a watch until its close callback, which may come after this object's end.
  struct Wait {
    uv_async_t handle;
    HANDLE registration = nullptr;
    Napi::FunctionReference callback;
    Napi::AsyncContext context;
    Wait(Napi::Env env, Napi::Function function)
        : callback(Napi::Persistent(function)), context(env, "a3s_box_process_watch") {}
  };

  Napi::Value Watch(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    if (process_ == nullptr || wait_ != nullptr) {
      ThrowErrno(env, "watch", EBADF);
      return env.Undefined();
    }
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    auto wait = new Wait(env, info[0].As<Napi::Function>());
    const int status = uv_async_init(loop, &wait->handle, OnEnd);
    if (status != 0) {
      delete wait;
      ThrowErrno(env, "uv_async_init", -status);
      return env.Undefined();
    }
    wait->handle.data = wait;
    wait_ = wait;
    // From a thread of the system's own, which may only wake the loop.
    const auto wake = [](void* context, BOOLEAN) { uv_async_send(&static_cast<Wait*>(context)->handle); };
    if (!RegisterWaitForSingleObject(&wait->registration, process_, wake, wait, INFINITE, WT_EXECUTEONLYONCE)) {
      ThrowErrno(env, "RegisterWaitForSingleObject", EINVAL);
    }
    return env.Undefined();
  }

  static void OnEnd(uv_async_t* handle) {
    auto* self = static_cast<Wait*>(handle->data);
    Napi::Env env = self->callback.Env();
    Napi::HandleScope scope(env);
    // What was waited for has come; nothing is left to keep the loop alive for.
    uv_unref(reinterpret_cast<uv_handle_t*>(handle));
    self->callback.MakeCallback(env.Global(), {}, self->context);
  }

  // Windows has no signals: the one that there is ends the process.
  Napi::Value Signal(const Napi::CallbackInfo& info) {
    constexpr int kKill = 9;
    if (info[0].As<Napi::Number>().Int32Value() != kKill) {
      ThrowErrno(info.Env(), "signal", EINVAL);
      return info.Env().Undefined();
    }
    return Napi::Boolean::New(info.Env(), process_ != nullptr && TerminateProcess(process_, 1) != FALSE);
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    Release();
    return info.Env().Undefined();
  }

  void Release() {
    if (wait_ != nullptr) {
      Wait* wait = wait_;
      wait_ = nullptr;
      // Waits for a callback that is under way.
      if (wait->registration != nullptr) UnregisterWaitEx(wait->registration, INVALID_HANDLE_VALUE);
      uv_close(reinterpret_cast<uv_handle_t*>(&wait->handle), [](uv_handle_t* handle) {
        auto* self = static_cast<Wait*>(handle->data);
        Napi::HandleScope scope(self->callback.Env());
        delete self;
      });
    }
    if (process_ != nullptr) CloseHandle(process_);
    process_ = nullptr;
  }

  HANDLE process_ = nullptr;
  Wait* wait_ = nullptr;
};

}  // namespace

void RegisterProcess(Napi::Env env, Napi::Object exports) {
  exports.Set("ProcessHandle", ProcessHandle::Define(env));
  exports.Set("processStartTime", Napi::Function::New<ProcessStartTime>(env, "processStartTime"));
}

}  // namespace a3s
