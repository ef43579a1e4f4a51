import { posix } from 'node:path';
import type { ImageConfig, ImageHealthcheck } from '@a3s-box/core';
import { Fault } from '../dockerfile/fault.js';
import type { Command, Instruction, KeyValue, Word } from '../dockerfile/instruction.js';
import type { ArgumentScope } from './argument-scope.js';
import { durationNs } from './duration.js';
import { demanded, expandWord } from './expand-word.js';
import { portsOf } from './exposed-ports.js';

type HealthCheck = Extract<Instruction, { kind: 'healthcheck' }>;

/** A stage while it is built: the config that its image has so far, and what its next instruction finds. */
export class StageState {
  private shell: readonly string[] = ['/bin/sh', '-c'];
  private ownCommand = false;
  private writer: string | undefined;

  constructor(
    private current: ImageConfig,
    readonly scope: ArgumentScope,
  ) {}

  get config(): ImageConfig {
    return this.current;
  }

  /** The image's author, as MAINTAINER says. */
  get author(): string | undefined {
    return this.writer;
  }

  /** A variable's value: the image's, or an argument's. */
  readonly lookup = (name: string): string | undefined => {
    const prefix = `${name}=`;
    return this.current.env.find((it) => it.startsWith(prefix))?.slice(prefix.length) ?? this.scope.get(name);
  };

  /** A word with its variables put in. @throws Fault */
  text(word: Word): string {
    return expandWord(word, this.lookup);
  }

  /** The program that a command is. */
  program(command: Command): readonly string[] {
    if (command.form === 'exec') return command.words;
    return command.line === '' ? [] : [...this.shell, command.line];
  }

  /** Directory that a path of an instruction means. */
  resolve(path: string): string {
    return posix.resolve('/', this.current.workingDir ?? '/', path);
  }

  /**
   * Does what an instruction says of the config; nothing for one that only changes files.
   * @throws Fault
   */
  configure(instruction: Instruction): void {
    switch (instruction.kind) {
      case 'arg':
        return demanded(instruction, () => this.scope.declare(instruction, this.lookup));
      case 'env':
        return this.change({ env: this.pairs(instruction.pairs).reduce(withVariable, this.current.env) });
      case 'label':
        return this.change({
          labels: { ...this.current.labels, ...Object.fromEntries(this.pairs(instruction.pairs)) },
        });
      case 'workdir':
        return this.change({ workingDir: this.resolve(this.filled(instruction.value)) });
      case 'user':
        return this.change({ user: this.filled(instruction.value) });
      case 'stopsignal':
        return this.change({ stopSignal: this.signal(instruction.value) });
      case 'cmd':
        this.ownCommand = true;
        return this.change({ cmd: this.program(instruction.command) });
      case 'entrypoint':
        return this.enter(this.program(instruction.command));
      case 'shell':
        this.shell = instruction.words;
        return;
      case 'expose':
        return this.change({
          exposedPorts: united(
            this.current.exposedPorts,
            instruction.values.flatMap((it) => this.ports(it)),
          ),
        });
      case 'volume':
        return this.change({
          volumes: united(
            this.current.volumes,
            instruction.values.map((it) => this.filled(it)),
          ),
        });
      case 'healthcheck':
        return this.change({ healthcheck: this.healthcheck(instruction) });
      case 'onbuild':
        return this.change({ onBuild: [...(this.current.onBuild ?? []), instruction.trigger] });
      case 'maintainer':
        this.writer = instruction.name;
        return;
      default:
        return;
    }
  }

  private change(part: Partial<ImageConfig>): void {
    this.current = { ...this.current, ...part };
  }

  /** A program of the image below is for the entry point that was there. */
  private enter(entrypoint: readonly string[]): void {
    const { cmd, ...rest } = this.current;
    this.current = { ...rest, entrypoint, ...(this.ownCommand && cmd && { cmd }) };
  }

  /** Of one instruction all pairs find what was there before it. */
  private pairs(pairs: readonly KeyValue[]): (readonly [string, string])[] {
    return pairs.map(({ key, value }) => [this.filled(key), this.text(value)] as const);
  }

  private filled(word: Word): string {
    const text = this.text(word);
    if (text === '') throw new Fault(word.place, `${word.source} is empty here`);
    return text;
  }

  private signal(word: Word): string {
    const text = this.filled(word);
    if (!/^(\d{1,2}|(SIG)?[A-Z][A-Z0-9+-]*)$/i.test(text)) throw new Fault(word.place, `${text} is no signal`);
    return text;
  }

  private ports(word: Word): string[] {
    const words = this.filled(word).split(/\s+/);
    return words.flatMap(
      (it) => portsOf(it) ?? this.wrong(word, `${it} is no port: write NUMBER, or NUMBER-NUMBER, and perhaps /udp`),
    );
  }

  private healthcheck({ command, options }: HealthCheck): ImageHealthcheck {
    if (command === undefined) return { test: ['NONE'] };
    const test = command.form === 'exec' ? ['CMD', ...command.words] : ['CMD-SHELL', command.line];
    const [intervalNs, timeoutNs] = [this.duration(options.interval), this.duration(options.timeout)];
    const [startPeriodNs, startIntervalNs] = [this.duration(options.startPeriod), this.duration(options.startInterval)];
    const retries = options.retries && this.count(options.retries);
    return {
      test,
      ...(intervalNs !== undefined && { intervalNs }),
      ...(timeoutNs !== undefined && { timeoutNs }),
      ...(startPeriodNs !== undefined && { startPeriodNs }),
      ...(startIntervalNs !== undefined && { startIntervalNs }),
      ...(retries !== undefined && { retries }),
    };
  }

  private duration(word: Word | undefined): number | undefined {
    if (word === undefined) return undefined;
    const text = this.text(word);
    const duration = durationNs(text);
    if (duration === undefined) return this.wrong(word, `${text} is no duration such as 30s or 1m30s`);
    if (duration !== 0 && duration < 1e6) return this.wrong(word, `${text} is shorter than a millisecond`);
    return duration;
  }

  private count(word: Word): number {
    const text = this.text(word);
    return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : this.wrong(word, `${text} is no number of attempts`);
  }

  private wrong({ place }: Word, message: string): never {
    throw new Fault(place, message);
  }
}

/** A variable keeps the place that it has. */
function withVariable(env: readonly string[], [name, value]: readonly [string, string]): readonly string[] {
  const line = `${name}=${value}`;
  const at = env.findIndex((it) => it.startsWith(`${name}=`));
  return at < 0 ? [...env, line] : env.with(at, line);
}

function united(before: readonly string[], more: readonly string[]): readonly string[] {
  return [...new Set([...before, ...more])];
}
