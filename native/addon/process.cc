// A process held by descriptor (pidfd): its end is an event, and a signal never reaches a process that reused its id.
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include "errors.h"

namespace a3s {
namespace {

class ProcessHandle : public Napi::ObjectWrap<ProcessHandle> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "ProcessHandle",
                       {InstanceMethod<&ProcessHandle::Watch>("watch"), InstanceMethod<&ProcessHandle::Signal>("signal"),
                        InstanceMethod<&ProcessHandle::Close>("close")});
  }

  explicit ProcessHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ProcessHandle>(info) {
    const int pid = info[0].As<Napi::Number>().Int32Value();
    descriptor_ = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    if (descriptor_ < 0) ThrowErrno(info.Env(), "pidfd_open", errno);
  }

  ~ProcessHandle() override { Release(); }

 private:
  // Owned by libuv from the start of a watch until its close callback, which may come after this object's end.
  struct Poll {
    uv_poll_t handle;
    int descriptor;
    Napi::FunctionReference callback;
    Napi::AsyncContext context;
    Poll(Napi::Env env, int fd, Napi::Function function)
        : descriptor(fd), callback(Napi::Persistent(function)), context(env, "a3s_box_process_watch") {}
  };

  Napi::Value Watch(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    if (descriptor_ < 0 || poll_ != nullptr) {
      ThrowErrno(env, "watch", EBADF);
      return env.Undefined();
    }
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    auto poll = new Poll(env, descriptor_, info[0].As<Napi::Function>());
    const int status = uv_poll_init(loop, &poll->handle, descriptor_);
    if (status != 0) {
      delete poll;
      ThrowErrno(env, "uv_poll_init", -status);
      return env.Undefined();
    }
    poll->handle.data = poll;
    poll_ = poll;
    uv_poll_start(&poll->handle, UV_READABLE, [](uv_poll_t* handle, int, int) {
      auto* self = static_cast<Poll*>(handle->data);
      Napi::Env callback_env = self->callback.Env();
      Napi::HandleScope scope(callback_env);
      uv_poll_stop(handle);
      self->callback.MakeCallback(callback_env.Global(), {}, self->context);
    });
    return env.Undefined();
  }

  Napi::Value Signal(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    const int number = info[0].As<Napi::Number>().Int32Value();
    if (syscall(SYS_pidfd_send_signal, descriptor_, number, nullptr, 0) != 0) {
      if (errno == ESRCH) return Napi::Boolean::New(env, false);
      ThrowErrno(env, "pidfd_send_signal", errno);
      return env.Undefined();
    }
    return Napi::Boolean::New(env, true);
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    Release();
    return info.Env().Undefined();
  }

  void Release() {
    if (poll_ != nullptr) {
      uv_close(reinterpret_cast<uv_handle_t*>(&poll_->handle), [](uv_handle_t* handle) {
        auto* self = static_cast<Poll*>(handle->data);
        Napi::HandleScope scope(self->callback.Env());
        close(self->descriptor);
        delete self;
      });
      poll_ = nullptr;
    } else if (descriptor_ >= 0) {
      close(descriptor_);
    }
    descriptor_ = -1;
  }

  int descriptor_ = -1;
  Poll* poll_ = nullptr;
};

}  // namespace

void RegisterProcess(Napi::Env env, Napi::Object exports) {
  exports.Set("ProcessHandle", ProcessHandle::Define(env));
}

}  // namespace a3s
