{
  "target_defaults": {
    "cflags": ["-Wall", "-Wextra", "-Werror", "-O2", "-fstack-protector-strong"],
    "cflags_cc": ["-std=c++20"],
  },
  "targets": [
    {
      "target_name": "a3s_box_native",
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=9", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED"],
      "sources": ["addon/addon.cc", "addon/kernel.cc", "addon/libkrun.cc"],
      "conditions": [
        ["OS=='linux'", {
          "sources": [
            "addon/fifo.cc", "addon/heap.cc", "addon/hypervisor_linux.cc", "addon/memory_file.cc", "addon/process.cc",
            "addon/sockets.cc", "addon/tsc.cc",
          ],
          "libraries": ["-ldl"],
        }],
        ["OS=='mac'", {"sources": ["addon/fifo.cc", "addon/hypervisor_darwin.cc", "addon/process_darwin.cc"]}],
        ["OS=='win'", {"sources": ["addon/hypervisor_windows.cc", "addon/process_windows.cc"]}],
      ],
    },
  ],
  "conditions": [
    ["OS=='linux'", {
      "targets": [
        {
          # libkrun is loaded at run time: the launcher is built without it.
          "target_name": "a3s-box-krun",
          "type": "executable",
          "sources": [
            "launcher/krun/document.c", "launcher/krun/inherited.c", "launcher/krun/json.c",
            "launcher/krun/krun_adapter.c", "launcher/krun/main.c", "launcher/krun/platform_posix.c",
            "launcher/krun/status.c",
          ],
          "defines": ["_GNU_SOURCE", "_FORTIFY_SOURCE=2"],
          "cflags": ["-std=gnu11", "-Wconversion", "-fPIE", "-fvisibility=hidden"],
          # libkrun's calls shall reach the functions of inherited.c.
          "ldflags": ["-pie", "-rdynamic", "-Wl,-z,relro,-z,now"],
          "libraries": ["-ldl"],
        },
        {
          "target_name": "a3s-box-confine",
          "type": "executable",
          "sources": ["launcher/confine.c", "launcher/options.c", "launcher/landlock.c", "launcher/syscall_filter.c"],
          "defines": ["_GNU_SOURCE", "_FORTIFY_SOURCE=2"],
          "cflags": ["-std=gnu11", "-fPIE"],
          "ldflags": ["-pie", "-Wl,-z,relro,-z,now"],
        },
        {
          "target_name": "a3s-box-share",
          "type": "executable",
          "sources": [
            "launcher/share/file_filter.c", "launcher/share/share.c", "launcher/share/tree.c",
            "launcher/share/user_namespace.c",
          ],
          "defines": ["_GNU_SOURCE", "_FORTIFY_SOURCE=2"],
          "cflags": ["-std=gnu11", "-fPIE"],
          "ldflags": ["-pie", "-Wl,-z,relro,-z,now"],
        },
        {
          # A guest's first process, without a C library: says that it runs and restarts the machine.
          "target_name": "a3s-box-probe-init",
          "type": "executable",
          "sources": ["probe/init.c"],
          "cflags": ["-std=gnu11", "-ffreestanding", "-fno-stack-protector", "-fno-pie", "-U_FORTIFY_SOURCE"],
          "cflags!": ["-pthread", "-fstack-protector-strong"],
          "ldflags": ["-static", "-nostdlib", "-no-pie", "-Wl,--build-id=none"],
          "ldflags!": ["-pthread", "-rdynamic"],
        },
      ],
    }],
  ],
}
