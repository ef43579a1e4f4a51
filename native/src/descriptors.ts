import { addon } from './addon.js';

/**
 * Makes a listening Unix stream socket of mode 0600, to be handed to a child process. Unlike a `net.Server` it accepts
 * nothing here, and closing the descriptor leaves the path in place.
 *
 * @param path absolute, at most 107 bytes, not in use
 * @returns a descriptor that the caller closes; it is closed on exec
 */
export function listenUnix(path: string): number {
  return addon().listenUnix(path);
}

/** Connects to a Unix stream socket. @returns a non-blocking descriptor that the caller closes; closed on exec */
export function connectUnix(path: string): number {
  return addon().connectUnix(path);
}

/**
 * Which process connected to a Unix socket, and as which user, as the kernel noted it then.
 *
 * @param socket descriptor of the accepted socket; stays the caller's
 * @returns undefined where the system does not tell @throws Error of the system for what is no Unix socket
 */
export function peerCredentials(socket: number): { readonly pid: number; readonly uid: number } | undefined {
  return process.platform === 'linux' ? addon().peerCredentials(socket) : undefined;
}

/** Makes a named pipe of mode 0600. */
export function makeFifo(path: string): void {
  addon().makeFifo(path);
}

/**
 * Sends a short message over a Unix stream socket with a descriptor attached (SCM_RIGHTS). Nothing else may be writing
 * to the socket.
 *
 * @param socket descriptor of the socket @param descriptor stays the caller's
 * @throws Error of the system when the socket does not take the whole message at once
 */
export function sendDescriptor(socket: number, message: string, descriptor: number): void {
  addon().sendDescriptor(socket, message, descriptor);
}

/**
 * Copies a file into one that lives in memory only (memfd) and has no name.
 *
 * @param source descriptor of a regular file; stays the caller's
 * @param name shown in /proc and nowhere else
 * @returns a descriptor that the caller closes; it is closed on exec
 */
export function copyToMemory(source: number, name: string): number {
  return addon().copyToMemory(source, name);
}

/**
 * Makes a file that lives in memory only (memfd), is empty space throughout, and can be sealed.
 *
 * @param name shown in /proc and nowhere else @returns a descriptor that the caller closes; it is closed on exec
 */
export function createMemory(name: string, bytes: number): number {
  return addon().createMemory(name, bytes);
}

/**
 * Makes a file of {@link createMemory} unchangeable for everybody for ever; it can still be read and mapped privately.
 * @throws Error of the system (EBUSY) while somebody has it mapped for writing
 */
export function sealMemory(file: number): void {
  addon().sealMemory(file);
}

/** Where a file has data, in bytes, in order; elsewhere it reads as zero. Moves the descriptor's position. */
export function dataExtents(file: number): [offset: number, bytes: number][] {
  return addon().dataExtents(file);
}
