// A process held by what macOS has for it: kqueue tells its end, and its start time keeps it apart from a later one with its id.
#include <libproc.h>
#include <signal.h>
#include <sys/event.h>
#include <unistd.h>
#include <uv.h>

#include "errors.h"

namespace a3s {
namespace {

bool ReadStartTime(pid_t pid, std::string* text) {
  proc_bsdinfo info;
  if (proc_pidinfo(pid, PROC_PIDTBSDINFO, 0, &info, sizeof info) != static_cast<int>(sizeof info)) return false;
  *text = std::to_string(info.pbi_start_tvsec) + "." + std::to_string(info.pbi_start_tvusec);
  return true;
}

// processStartTime(pid): seconds and microseconds since 1970, `S.U`; undefined when there is no such process.
Napi::Value ProcessStartTime(const Napi::CallbackInfo& info) {
  std::string text;
  if (!ReadStartTime(info[0].As<Napi::Number>().Int32Value(), &text)) return info.Env().Undefined();
  return Napi::String::New(info.Env(), text);
}

class ProcessHandle : public Napi::ObjectWrap<ProcessHandle> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "ProcessHandle",
                       {InstanceMethod<&ProcessHandle::Watch>("watch"), InstanceMethod<&ProcessHandle::Signal>("signal"),
                        InstanceMethod<&ProcessHandle::Close>("close")});
  }

  explicit ProcessHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ProcessHandle>(info) {
    pid_ = info[0].As<Napi::Number>().Int32Value();
    queue_ = kqueue();
    struct kevent change;
    EV_SET(&change, static_cast<uintptr_t>(pid_), EVFILT_PROC, EV_ADD | EV_ONESHOT, NOTE_EXIT, 0, nullptr);
    if (queue_ < 0 || !ReadStartTime(pid_, &start_) || kevent(queue_, &change, 1, nullptr, 0, nullptr) != 0) {
      const int number = queue_ < 0 ? errno : ESRCH;
      Release();
      ThrowErrno(info.Env(), "kevent", number);
    }
  }

  ~ProcessHandle() override { Release(); }

 private:
  // Owned by libuv from the start of a watch until its close callback, which may come after this object's end.
  struct Poll {
    uv_poll_t handle;
    int queue;
    Napi::FunctionReference callback;
    Napi::AsyncContext context;
    Poll(Napi::Env env, int fd, Napi::Function function)
        : queue(fd), callback(Napi::Persistent(function)), context(env, "a3s_box_process_watch") {}
  };

  Napi::Value Watch(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    if (queue_ < 0 || poll_ != nullptr) {
      ThrowErrno(env, "watch", EBADF);
      return env.Undefined();
    }
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    auto poll = new Poll(env, queue_, info[0].As<Napi::Function>());
    // A queue is ready to be read when it has an event.
    const int status = uv_poll_init(loop, &poll->handle, queue_);
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

  // macOS has no signal by handle: between the look and the signal the id could be another's, though ids are not reused at once.
  Napi::Value Signal(const Napi::CallbackInfo& info) {
    std::string now;
    const bool same = queue_ >= 0 && ReadStartTime(pid_, &now) && now == start_;
    const bool sent = same && kill(pid_, info[0].As<Napi::Number>().Int32Value()) == 0;
    if (same && !sent && errno != ESRCH) ThrowErrno(info.Env(), "kill", errno);
    return Napi::Boolean::New(info.Env(), sent);
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    Release();
    return info.Env().Undefined();
  }

  void Release() {
    if (poll_ != nullptr) {
      Poll* poll = poll_;
      poll_ = nullptr;
      uv_close(reinterpret_cast<uv_handle_t*>(&poll->handle), [](uv_handle_t* handle) {
        auto* self = static_cast<Poll*>(handle->data);
        Napi::HandleScope scope(self->callback.Env());
        close(self->queue);
        delete self;
      });
    } else if (queue_ >= 0) {
      close(queue_);
    }
    queue_ = -1;
  }

  pid_t pid_ = 0;
  int queue_ = -1;
  std::string start_;
  Poll* poll_ = nullptr;
};

}  // namespace

void RegisterProcess(Napi::Env env, Napi::Object exports) {
  exports.Set("ProcessHandle", ProcessHandle::Define(env));
  exports.Set("processStartTime", Napi::Function::New<ProcessStartTime>(env, "processStartTime"));
}

}  // namespace a3s
