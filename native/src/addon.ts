import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** libkrunfw's kernel as it lies in the library. */
export interface ExtractedKernel {
  /** A copy of the raw image. */
  readonly image: Buffer;
  /** Guest-physical address of the image's first byte. */
  readonly loadAddress: bigint;
  /** Guest-physical address of the 64-bit entry. */
  readonly entryAddress: bigint;
  /** libkrunfw's interface version. */
  readonly version: number;
}

/** One reading of the time-stamp counter, and of CLOCK_MONOTONIC_RAW at the same moment. */
export interface TscSample {
  readonly counter: bigint;
  readonly nanoseconds: bigint;
}

/** A process held by descriptor. Close it, or it keeps the event loop alive while it is watched. */
export interface ProcessHandle {
  /** Calls back once, when the process has ended. May be called once. */
  watch(onExit: () => void): void;
  /** Sends a signal by number. @returns false when the process is gone */
  signal(number: number): boolean;
  /** Idempotent; the callback of {@link watch} is not called afterwards. */
  close(): void;
}

/** What a libkrun library offers, without any of it having been run but `krun_has_feature`. */
export interface LibkrunInspection {
  /** Those of the names asked for that it exports. */
  readonly functions: readonly string[];
  /** One for each feature asked for; absent where the library cannot be asked. */
  readonly features?: readonly boolean[];
}

interface Addon {
  inspectLibkrun(path: string, functions: readonly string[], features: readonly number[]): LibkrunInspection;
  /** Linux only. */
  openKvm(device: string): { apiVersion: number; maxVcpus: number };
  /** macOS and Windows only. */
  hypervisorSupport(): boolean;
  /** macOS and Windows only. */
  processStartTime(pid: number): string | undefined;
  extractKernel(libkrunfwPath: string): ExtractedKernel;
  /** Linux only. */
  fixMmapThreshold(bytes: number): boolean;
  sampleTsc(): TscSample;
  listenUnix(path: string): number;
  connectUnix(path: string): number;
  /** Linux only. */
  peerCredentials(socket: number): { pid: number; uid: number };
  sendDescriptor(socket: number, message: string, descriptor: number): void;
  copyToMemory(source: number, name: string): number;
  createMemory(name: string, bytes: number): number;
  sealMemory(file: number): void;
  dataExtents(file: number): [offset: number, bytes: number][];
  makeFifo(path: string): void;
  readonly ProcessHandle: new (pid: number) => ProcessHandle;
}

const require = createRequire(import.meta.url);
const root = dirname(import.meta.dirname);

let loaded: Addon | undefined;

/** The addon, loaded at its first use so that importing this package costs nothing. */
export function addon(): Addon {
  loaded ??= (require('node-gyp-build') as (directory: string) => Addon)(root);
  return loaded;
}

/** Absolute path of an executable of this package: built in place, or prebuilt. Undefined when there is none. */
export function executable(name: string): string | undefined {
  const places = [
    join(root, 'build', 'Release', name),
    join(root, 'prebuilds', `${process.platform}-${process.arch}`, name),
  ];
  return places.find((path) => existsSync(path));
}
