// Written by scripts/generate-types.ts from native/launcher/krun/document.schema.json; do not edit.

/**
 * Absolute; on Windows with a drive letter or a named pipe's \\.\pipe\.
 */
export type Path = string;
export type TcpPort = number;

/**
 * One virtual machine, as a3s-box-krun reads it from a descriptor. At most 65536 bytes of UTF-8, then end of file. Nothing is optional and nothing else is allowed. A path /proc/self/fd/N, or one below it, names an inherited descriptor, which stands for the open file itself and not for another opening of it (Linux); the launcher keeps those, the standard ones and its status descriptor, and closes all others.
 */
export interface KrunDocument {
  /**
   * Version of this format.
   */
  version: 1;
  /**
   * Where libkrun lies.
   */
  library: string;
  /**
   * What libkrun writes to standard error. Without `error` it does not say why a machine could not be built.
   */
  logLevel: 'off' | 'error' | 'warn' | 'info' | 'debug' | 'trace';
  machine: {
    vcpus: number;
    memoryMiB: number;
    /**
     * Whether the guest may run virtual machines of its own.
     */
    nested: boolean;
  };
  kernel: {
    path: Path;
    /**
     * `raw` is for an arm64 Image.
     */
    format: 'elf' | 'raw';
    initramfs: Path;
    commandLine: string;
  };
  /**
   * In the order in which the guest sees them.
   *
   * @maxItems 16
   */
  disks: {
    /**
     * The slot's name, for libkrun's own use: it gives the disk a serial number of another kind. No two disks have the same.
     */
    id: string;
    path: Path;
    /**
     * Never found out by looking: a guest that writes to a raw disk could make it look like another format. `vmdk` is for a flat descriptor of our own, whose extents are then opened by name.
     */
    format: 'raw' | 'vmdk';
    readOnly: boolean;
    /**
     * What a flush of the guest's does: nothing; what is fast (macOS: no flush of the drive's own cache); all.
     */
    sync: 'none' | 'relaxed' | 'full';
  }[];
  vsock: {
    /**
     * Transparent socket impersonation: the guest's TCP and UDP sockets are sockets of the launcher's process, the host's loopback included. null: the guest has none of it. Not together with a network.
     */
    tsi: null | {
      /**
       * TCP ports of the guest that can be reached at a port of the host. Each host port and each guest port appears once.
       *
       * @maxItems 256
       */
      ports: {
        host: TcpPort;
        guest: TcpPort;
      }[];
    };
    /**
     * @maxItems 16
     */
    ports: {
      /**
       * No two entries have the same.
       */
      port: number;
      /**
       * Absolute; on Windows with a drive letter or a named pipe's \\.\pipe\.
       */
      path: string;
      /**
       * true: libkrun makes the socket (it must not be there), or an inherited one listens already, and each connection to it becomes one to the guest. false: somebody listens there, and each connection of the guest becomes one to it; an inherited socket is itself the connection; of an inherited pipe the guest's first connection closes this end.
       */
      listen: boolean;
    }[];
  };
  /**
   * A network card whose frames go over a stream socket, each after its length in 4 bytes, most significant first. No offloads.
   */
  network: null | {
    socket:
      | {
          /**
           * Absolute; on Windows with a drive letter or a named pipe's \\.\pipe\.
           */
          path: string;
        }
      | {
          /**
           * A connected socket, inherited.
           */
          descriptor: number;
        };
    mac: string;
  };
  /**
   * Directories of the host, by virtiofs.
   *
   * @maxItems 4
   */
  shares: {
    /**
     * The guest mounts the share by it. No two shares have the same.
     */
    tag: string;
    path: Path;
    /**
     * `read-only`: libkrun refuses writes; one that cannot is refused by name. `confined`: libkrun passes writes on, and what confines the launcher refuses them; whoever starts it answers for that.
     */
    access: 'read-write' | 'read-only' | 'confined';
    /**
     * Memory of the guest in which it maps files of the share directly. 0: none.
     */
    windowMiB: number;
  }[];
  /**
   * Absolute; on Windows with a drive letter or a named pipe's \\.\pipe\.
   */
  console: string;
  /**
   * Further inherited descriptors that stay open: those that a VMDK descriptor names, for one.
   *
   * @maxItems 512
   */
  descriptors: number[];
}
