// A shared library that is loaded for the length of a call.
#pragma once

#include <string>

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace a3s {

class SharedLibrary {
 public:
  explicit SharedLibrary(const std::string& path) {
#ifdef _WIN32
    wchar_t wide[4096];
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path.c_str(), -1, wide, 4096) > 0) {
      handle_ = LoadLibraryExW(wide, nullptr, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32);
    }
    if (handle_ == nullptr) reason_ = "error " + std::to_string(GetLastError());
#else
    handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) {
      const char* reason = dlerror();
      reason_ = reason == nullptr ? "the loader gives no reason" : reason;
    }
#endif
  }
  ~SharedLibrary() {
    if (handle_ == nullptr) return;
#ifdef _WIN32
    FreeLibrary(handle_);
#else
    dlclose(handle_);
#endif
  }
  SharedLibrary(const SharedLibrary&) = delete;
  SharedLibrary& operator=(const SharedLibrary&) = delete;

  bool loaded() const { return handle_ != nullptr; }
  const std::string& reason() const { return reason_; }

  // Null where there is no such function. Both systems promise that a function's address survives the cast.
  template <typename Function>
  Function Find(const char* name) const {
#ifdef _WIN32
    return reinterpret_cast<Function>(GetProcAddress(handle_, name));
#else
    return reinterpret_cast<Function>(dlsym(handle_, name));
#endif
  }

 private:
#ifdef _WIN32
  HMODULE handle_ = nullptr;
#else
  void* handle_ = nullptr;
#endif
  std::string reason_;
};

}  // namespace a3s
