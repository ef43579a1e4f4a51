// Sockets and pipes as plain descriptors, to be handed to a child process: Node keeps those that it makes for itself.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "errors.h"

namespace a3s {
namespace {

bool FillAddress(Napi::Env env, const std::string& path, sockaddr_un* address) {
  std::memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address->sun_path) {
    ThrowErrno(env, "bind", ENAMETOOLONG, path);
    return false;
  }
  std::memcpy(address->sun_path, path.data(), path.size());
  return true;
}

int Fail(Napi::Env env, const char* syscall, int number, const std::string& path, int descriptor) {
  if (descriptor >= 0) close(descriptor);
  ThrowErrno(env, syscall, number, path);
  return -1;
}

int OpenStream(Napi::Env env, const std::string& path) {
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) ThrowErrno(env, "socket", errno, path);
  return descriptor;
}

Napi::Value ListenUnix(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::string path = info[0].As<Napi::String>();
  sockaddr_un address;
  if (!FillAddress(env, path, &address)) return env.Undefined();
  int descriptor = OpenStream(env, path);
  if (descriptor < 0) return env.Undefined();
  // The mode of the socket's inode comes from the descriptor's, so there is no moment with a wider one.
  if (fchmod(descriptor, 0600) != 0) descriptor = Fail(env, "fchmod", errno, path, descriptor);
  if (descriptor >= 0 && bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    descriptor = Fail(env, "bind", errno, path, descriptor);
  }
  if (descriptor >= 0 && listen(descriptor, 8) != 0) {
    const int number = errno;
    unlink(path.c_str());
    descriptor = Fail(env, "listen", number, path, descriptor);
  }
  return descriptor < 0 ? env.Undefined() : Napi::Value(Napi::Number::New(env, descriptor));
}

Napi::Value ConnectUnix(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::string path = info[0].As<Napi::String>();
  sockaddr_un address;
  if (!FillAddress(env, path, &address)) return env.Undefined();
  int descriptor = OpenStream(env, path);
  if (descriptor < 0) return env.Undefined();
  // A full backlog is an error of the server's, never a reason to stop this process's event loop.
  fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  if (connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    descriptor = Fail(env, "connect", errno, path, descriptor);
  }
  return descriptor < 0 ? env.Undefined() : Napi::Value(Napi::Number::New(env, descriptor));
}

// Writes all of a short message with one descriptor attached to it, or fails: for a stream that nothing else writes to
// at the moment.
Napi::Value SendDescriptor(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int socket = info[0].As<Napi::Number>().Int32Value();
  std::string message = info[1].As<Napi::String>();
  const int descriptor = info[2].As<Napi::Number>().Int32Value();
  iovec data = {message.data(), message.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header = {};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  cmsghdr* attachment = CMSG_FIRSTHDR(&header);
  attachment->cmsg_level = SOL_SOCKET;
  attachment->cmsg_type = SCM_RIGHTS;
  attachment->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(attachment), &descriptor, sizeof descriptor);
  const ssize_t sent = sendmsg(socket, &header, MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(message.size())) ThrowErrno(env, "sendmsg", sent < 0 ? errno : EAGAIN);
  return env.Undefined();
}

// Who connected to a Unix socket, as the kernel noted it then.
Napi::Value PeerCredentials(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  ucred credentials;
  socklen_t size = sizeof credentials;
  if (getsockopt(info[0].As<Napi::Number>().Int32Value(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    ThrowErrno(env, "getsockopt", errno);
    return env.Undefined();
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("pid", Napi::Number::New(env, credentials.pid));
  result.Set("uid", Napi::Number::New(env, credentials.uid));
  return result;
}

}  // namespace

void RegisterSockets(Napi::Env env, Napi::Object exports) {
  exports.Set("listenUnix", Napi::Function::New<ListenUnix>(env, "listenUnix"));
  exports.Set("connectUnix", Napi::Function::New<ConnectUnix>(env, "connectUnix"));
  exports.Set("peerCredentials", Napi::Function::New<PeerCredentials>(env, "peerCredentials"));
  exports.Set("sendDescriptor", Napi::Function::New<SendDescriptor>(env, "sendDescriptor"));
}

}  // namespace a3s
