import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { GuestNetwork, NetworkAttachment } from '@a3s-box/core';
import type { Operations } from './operations.js';

const TAP_BRIDGE = join(import.meta.dirname, '../guest/tap-bridge.py');
const PROGRAM = join(import.meta.dirname, 'namespace-program.js');
const CARD = 'eth0';

let count = 0;

/** A network namespace with a program in it that does what it is asked for. Root only. */
export class Namespace implements AsyncDisposable {
  readonly #program: ChildProcess;
  readonly #others: ChildProcess[] = [];
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #requests = 0;

  private constructor(readonly name: string) {
    ip('netns', 'add', name);
    this.run('ip', 'link', 'set', 'lo', 'up');
    this.#program = this.#spawn(process.execPath, [PROGRAM]);
    const output = this.#program.stdout;
    if (output) createInterface({ input: output }).on('line', (line) => this.#take(line));
  }

  static make(purpose: string): Namespace {
    return new Namespace(`a3s-${purpose}-${process.pid}-${++count}`);
  }

  /** Has something done in the namespace. Rejects with an error that has the `code` of the failure there. */
  ask<K extends keyof Operations>(operation: K, argument: Operations[K][0]): Promise<Operations[K][1]> {
    const id = ++this.#requests;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.#program.stdin?.write(`${JSON.stringify({ id, operation, argument })}\n`);
    return waiting.promise as Promise<Operations[K][1]>;
  }

  /** Runs a command to its end. @throws Error with its stderr when it fails */
  run(program: string, ...parameters: string[]): string {
    return execFileSync('ip', ['netns', 'exec', this.name, program, ...parameters], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
  }

  /** Plays the guest: connects a card to an endpoint and configures it as a guest is told to. */
  async connect(attachment: NetworkAttachment, { addresses, gateways, mtu }: GuestNetwork): Promise<void> {
    const bridge = this.#spawn('python3', [TAP_BRIDGE, attachment.socket, CARD]);
    if (bridge.stdout === null) throw new TypeError('the tap bridge has no output');
    const up = once(bridge.stdout, 'data');
    const ended = once(bridge, 'exit').then(() => Promise.reject(new TypeError('the tap bridge ended')));
    await Promise.race([up, ended]);
    ended.catch(() => undefined);
    this.run('ip', 'link', 'set', CARD, 'address', attachment.mac, 'mtu', String(mtu), 'up');
    for (const address of addresses) {
      this.run('ip', 'address', 'add', address, 'dev', CARD, ...(address.includes(':') ? ['nodad'] : []));
    }
    for (const gateway of gateways) this.run('ip', 'route', 'add', 'default', 'via', gateway);
  }

  /** Cuts the card off, as a VMM that ends does. */
  async disconnect(): Promise<void> {
    await Promise.all(this.#others.splice(0).map(end));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
    await end(this.#program);
    ip('netns', 'delete', this.name);
  }

  #spawn(program: string, parameters: readonly string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.name, program, ...parameters], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    if (program !== process.execPath) this.#others.push(child);
    child.stdin?.on('error', () => undefined);
    child.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new TypeError(`the program in ${this.name} ended`));
    });
    return child;
  }

  #take(line: string): void {
    const { id, result, error } = JSON.parse(line) as {
      id: number;
      result?: unknown;
      error?: { code: string; message: string };
    };
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(Object.assign(new TypeError(error.message), { code: error.code }));
  }
}

/** The outside: a namespace with addresses of its own that this machine reaches and that no other network has. */
export class Outside implements AsyncDisposable {
  readonly namespace = Namespace.make('out');
  /** The namespace's addresses, from ranges for documentation and tests (RFC 2544, RFC 3849). */
  readonly ipv4: string;
  readonly ipv6: string;
  /** One more address of the namespace, for servers that are not there. */
  readonly idle: string;
  readonly #device: string;

  constructor() {
    const subnet = 1 + (process.pid % 250);
    const index = ++count;
    this.#device = `a3s${process.pid}.${index}`;
    this.ipv4 = `198.19.${subnet}.${index * 8 + 2}`;
    this.idle = `198.19.${subnet}.${index * 8 + 3}`;
    this.ipv6 = `2001:db8:a3:${(subnet * 256 + index).toString(16)}::2`;
    const peer = `p${this.#device}`;
    ip('link', 'add', this.#device, 'type', 'veth', 'peer', 'name', peer, 'netns', this.namespace.name);
    ip('address', 'add', `198.19.${subnet}.${index * 8 + 1}/29`, 'dev', this.#device);
    ip('address', 'add', this.ipv6.replace(/2$/, '1/64'), 'dev', this.#device, 'nodad');
    ip('link', 'set', this.#device, 'up');
    for (const address of [this.ipv4, this.idle]) {
      this.namespace.run('ip', 'address', 'add', `${address}/29`, 'dev', peer);
    }
    this.namespace.run('ip', 'address', 'add', `${this.ipv6}/64`, 'dev', peer, 'nodad');
    this.namespace.run('ip', 'link', 'set', peer, 'up');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.namespace[Symbol.asyncDispose]();
    // Usually gone with the namespace that its other end was in.
    try {
      ip('link', 'delete', this.#device);
    } catch (error) {
      if (!/Cannot find device/.test(String((error as { stderr?: unknown }).stderr))) throw error;
    }
  }
}

function ip(...parameters: string[]): string {
  return execFileSync('ip', parameters, { encoding: 'utf8', stdio: 'pipe' });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
