import type { Autostart, AutostartRequest } from './autostart.js';

/** What differs between the operating systems that A3S Box runs on. One module for each: linux.ts, darwin.ts, windows.ts. */
export interface HostPlatform {
  readonly name: 'linux' | 'darwin' | 'windows';

  /**
   * Where a server listens, and clients connect, for what has this path: a Unix socket there, or a named pipe whose name is
   * made from it. The same path gives the same address in every process.
   *
   * @param path absolute
   */
  endpoint(path: string): string;
  /** Longest path that {@link endpoint} takes, bytes; undefined where any will do. */
  readonly endpointPathLimit: number | undefined;
  /** Whether an endpoint is a file, which outlives its server and has a mode. */
  readonly endpointsAreFiles: boolean;

  /** The home of a user who names none. Absolute. */
  defaultHome(surroundings: Surroundings): string;
  /** Where an administrator puts a distribution file. Absolute. */
  systemDistribution(surroundings: Surroundings): string;

  readonly access: AccessRights;

  /** Differs after each start of the machine; empty where that cannot be told. */
  bootId(): string;

  /** What a process takes of the machine's memory, with its part of what it shares, bytes; undefined where that is not known. */
  processMemory(pid: number): Promise<number | undefined>;

  /** How a home's supervisor is started with the machine; undefined where that is not built. */
  autostart(request: AutostartRequest): Autostart | undefined;
}

/** What a platform is told of the user, so that it reads nothing by itself. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The user's own directory; absolute. */
  readonly userDirectory: string;
}

/** Who may use a directory: mode bits, or an access control list. */
export interface AccessRights {
  /** Why a directory cannot be this user's; undefined when it is. */
  foreignOwner(directory: string): string | undefined;
  /** Whether anybody but the user (and who may do anything anyway) is let into a directory. @throws Error of the system */
  letsOthersIn(directory: string): boolean;
  /** Whether a file's contents, or its rights, can be changed by anybody (modes) or anybody else (lists). @throws Error of the system */
  letsOthersWrite(file: string): boolean;
  /** Lets nobody else into a directory, and into what will be made in it. @throws Error of the system */
  keepOthersOut(directory: string): void;
  /** The command by which a user does the same. */
  remedy(directory: string): string;
}
