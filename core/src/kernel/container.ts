import 'reflect-metadata';
import { container as rootContainer, inject as tsyringeInject, injectable as tsyringeInjectable } from 'tsyringe';
import { BoxError } from '../errors/box-error.js';

/** Names a service that is no class of ours, or is known by its interface. */
export interface ServiceToken<T> {
  readonly name: string;
  readonly key: symbol;
  /** Carries `T` for the type checker; has no value at run time. */
  readonly service?: T;
}

type AnyClass<T> = abstract new (...dependencies: never[]) => T;
type ConcreteClass<T> = new (...dependencies: never[]) => T;

/** What a service is registered and asked for by. */
export type Token<T> = ServiceToken<T> | AnyClass<T>;

/** Declares a token; each call makes another one. */
export function defineToken<T>(name: string): ServiceToken<T> {
  return Object.freeze({ name, key: Symbol(name) });
}

const INJECTED = Symbol('a3s-box.injected');

/** Marks a class whose constructor the container may call. */
export function injectable(): ClassDecorator {
  return (target) => tsyringeInjectable()(target as never);
}

/** Says which service a constructor's parameter gets, where its type is no class. */
export function inject<T>(token: Token<T>): ParameterDecorator {
  return (target, property, index) => {
    const injected = (Reflect.getOwnMetadata(INJECTED, target) ?? new Map()) as Map<number, Token<unknown>>;
    injected.set(index, token);
    Reflect.defineMetadata(INJECTED, injected, target);
    tsyringeInject(keyOf(token))(target, property, index);
  };
}

/**
 * Builds the services of one process by constructor injection. Every service is registered, made when it is first
 * needed, and made once. The container owns what it makes and disposes of it (`Symbol.asyncDispose`, `Symbol.dispose`);
 * values that were handed to it stay their owner's.
 */
export class Container implements AsyncDisposable {
  readonly #container = rootContainer.createChildContainer();
  /** Class of each token, or undefined for a value. */
  readonly #registered = new Map<Token<unknown>, ConcreteClass<unknown> | undefined>();
  readonly #created = new AsyncDisposableStack();
  #checked = false;

  /** Registers a class under itself. @throws INTERNAL when it is registered already */
  registerSingleton<T>(service: ConcreteClass<T>): this;
  /** Registers a class under the token of what it implements. @throws INTERNAL when the token is registered already */
  registerSingleton<T>(token: Token<T>, service: ConcreteClass<NoInfer<T>>): this;
  registerSingleton<T>(token: Token<T>, service: ConcreteClass<T> = token as ConcreteClass<T>): this {
    this.#enter(token, service);
    const key = keyOf(token);
    this.#container.registerSingleton(key, service as never);
    this.#container.afterResolution(key, (_token, made) => this.#own(made), { frequency: 'Once' });
    return this;
  }

  /** Registers something that exists already. @throws INTERNAL when the token is registered already */
  registerValue<T>(token: Token<T>, value: NoInfer<T>): this {
    this.#enter(token, undefined);
    this.#container.registerInstance(keyOf(token), value);
    return this;
  }

  /**
   * The service of a token. Services that it needs are made first.
   * @throws INTERNAL when anything that was registered needs what was not, or itself; all such faults at once
   */
  resolve<T>(token: Token<T>): T {
    this.#check();
    if (!this.#registered.has(token)) throw wiringError([`${nameOf(token)} is not registered`]);
    try {
      return this.#container.resolve<T>(keyOf(token) as never);
    } catch (cause) {
      throw wiringError([`${nameOf(token)} cannot be made: ${cause instanceof Error ? cause.message : ''}`], cause);
    }
  }

  /** Makes every registered service. @throws INTERNAL as {@link Container.resolve} */
  resolveAll(): readonly unknown[] {
    return [...this.#registered.keys()].map((token) => this.resolve(token));
  }

  /**
   * Disposes of what was made, the last one first; one that fails does not keep the others. Nothing can be resolved
   * afterwards. Idempotent.
   * @throws unknown what a service threw; SuppressedError when several did
   */
  async dispose(): Promise<void> {
    this.#checked = false;
    this.#registered.clear();
    await this.#created.disposeAsync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  #enter(token: Token<unknown>, service: ConcreteClass<unknown> | undefined): void {
    if (this.#created.disposed) throw wiringError([`${nameOf(token)} comes after the container was disposed of`]);
    if (this.#registered.has(token)) throw wiringError([`${nameOf(token)} is registered twice`]);
    this.#registered.set(token, service);
    this.#checked = false;
  }

  #own(made: unknown): void {
    if (typeof made !== 'object' || made === null) return;
    if (Symbol.asyncDispose in made || Symbol.dispose in made) this.#created.use(made as AsyncDisposable);
  }

  /** tsyringe would make an unregistered class anew for each use, and follow a cycle until the stack ends. */
  #check(): void {
    if (this.#checked) return;
    const problems = [...this.#registered].flatMap(([token, service]) =>
      service === undefined ? [] : [...this.#unmet(token, service), ...this.#cycleThrough(token)],
    );
    if (problems.length > 0) throw wiringError(problems);
    this.#checked = true;
  }

  #unmet(token: Token<unknown>, service: ConcreteClass<unknown>): readonly string[] {
    const dependencies = dependenciesOf(service);
    if (dependencies.length < service.length) return [`${nameOf(token)} is not marked @injectable()`];
    return dependencies.flatMap((dependency, index) => {
      if (dependency === undefined) return [`${nameOf(token)} does not @inject() its parameter ${index + 1}`];
      const known = this.#registered.has(dependency);
      return known ? [] : [`${nameOf(token)} needs ${nameOf(dependency)}, which is not registered`];
    });
  }

  #cycleThrough(start: Token<unknown>): readonly string[] {
    const seen = new Set<Token<unknown>>();
    const next = (token: Token<unknown>): readonly Token<unknown>[] => {
      const service = this.#registered.get(token);
      return service === undefined ? [] : dependenciesOf(service).filter((it) => it !== undefined);
    };
    const open = [...next(start)];
    for (const token of open) {
      if (token === start) return [`${nameOf(start)} needs itself`];
      if (!seen.has(token)) open.push(...next(token));
      seen.add(token);
    }
    return [];
  }
}

/** Parameters of a constructor as tokens; undefined where only an interface is known of one. */
function dependenciesOf(service: ConcreteClass<unknown>): readonly (Token<unknown> | undefined)[] {
  const types = (Reflect.getOwnMetadata('design:paramtypes', service) ?? []) as readonly unknown[];
  const injected = Reflect.getOwnMetadata(INJECTED, service) as ReadonlyMap<number, Token<unknown>> | undefined;
  return Array.from({ length: Math.max(types.length, injected?.size ?? 0) }, (_, index) => {
    const type = types[index];
    return injected?.get(index) ?? (isOwnClass(type) ? type : undefined);
  });
}

/** The compiler writes `Object`, `Function`, `String` and so on for what is no class of ours. */
function isOwnClass(type: unknown): type is AnyClass<unknown> {
  return (
    typeof type === 'function' &&
    !Object.values(Object.getOwnPropertyDescriptors(globalThis)).some((it) => it.value === type)
  );
}

function keyOf(token: Token<unknown>): symbol {
  return 'key' in token ? token.key : (token as never);
}

function nameOf(token: Token<unknown>): string {
  return token.name;
}

function wiringError(problems: readonly string[], cause?: unknown): BoxError {
  return new BoxError('INTERNAL', `services: ${problems.join('; ')}`, { cause, details: { problems } });
}
