import assert from 'node:assert/strict';
import { Container, defineToken, inject, injectable, type Token } from '@a3s-box/core/host';

interface Named {
  readonly name: string;
}

/** Marks a class as its decorators would; type stripping knows none. */
function needs(target: new (...given: never[]) => unknown, ...tokens: readonly Token<unknown>[]): void {
  tokens.forEach((token, index) => inject(token)(target, undefined, index));
  injectable()(target);
}

const trace: string[] = [];

class Engine implements AsyncDisposable {
  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    trace.push('engine');
  }
}
needs(Engine);

class Radio implements Disposable {
  [Symbol.dispose](): void {
    trace.push('radio');
  }
}
needs(Radio);

const EngineToken = defineToken<Engine>('EngineToken');
const NameToken = defineToken<Named>('NameToken');

class Car implements Disposable {
  readonly engine: Engine;
  readonly named: Named;
  constructor(engine: Engine, named: Named) {
    this.engine = engine;
    this.named = named;
  }
  [Symbol.dispose](): void {
    trace.push('car');
  }
}
needs(Car, EngineToken, NameToken);

class Chicken {
  readonly egg: unknown;
  constructor(egg: unknown) {
    this.egg = egg;
  }
}
class Egg {
  readonly chicken: unknown;
  constructor(chicken: unknown) {
    this.chicken = chicken;
  }
}
needs(Chicken, Egg);
needs(Egg, Chicken);

class Plain {
  readonly given: unknown;
  constructor(given: unknown) {
    this.given = given;
  }
}

const value: Named & Disposable = { name: 'n', [Symbol.dispose]: () => void trace.push('value') };

function garage(): Container {
  return new Container()
    .registerSingleton(Car)
    .registerSingleton(EngineToken, Engine)
    .registerValue(NameToken, value)
    .registerSingleton(Radio);
}

describe('the container', () => {
  beforeEach(() => void trace.splice(0));

  it('gives one and the same service to all', () => {
    const container = garage();
    const car = container.resolve(Car);
    assert.ok(car.engine instanceof Engine);
    assert.equal(car.named, value);
    assert.equal(container.resolve(EngineToken), car.engine);
    assert.equal(container.resolve(Car), car);
  });

  it('keeps to itself', () => {
    assert.notEqual(garage().resolve(Car), garage().resolve(Car));
  });

  it('disposes of what it made in reverse order, and of nothing else', async () => {
    const container = garage();
    container.resolve(Car);
    container.resolve(Radio);
    container.resolve(EngineToken);
    await container.dispose();
    assert.deepEqual(trace, ['radio', 'car', 'engine']);
    await container.dispose();
    assert.equal(trace.length, 3);
    assert.throws(() => container.resolve(Car), { code: 'INTERNAL' });
    assert.throws(() => container.registerSingleton(Plain), /comes after the container was disposed of/);
  });

  it('makes nothing that nobody asked for', async () => {
    await garage().dispose();
    assert.deepEqual(trace, []);
  });

  it('disposes of the others when one fails, and tells of it', async () => {
    class Stuck implements Disposable {
      [Symbol.dispose](): void {
        throw new RangeError('stuck');
      }
    }
    needs(Stuck);
    const container = garage().registerSingleton(Stuck);
    container.resolve(Car);
    container.resolve(Stuck);
    await assert.rejects(container.dispose(), RangeError);
    assert.deepEqual(trace, ['car', 'engine']);
  });

  it('tells all that is wrong with the graph before it makes anything', () => {
    const container = new Container()
      .registerSingleton(Car)
      .registerSingleton(Chicken)
      .registerSingleton(Egg)
      .registerSingleton(Plain)
      .registerSingleton(Radio);
    assert.throws(() => container.resolve(Radio), {
      code: 'INTERNAL',
      details: {
        problems: [
          'Car needs EngineToken, which is not registered',
          'Car needs NameToken, which is not registered',
          'Chicken needs itself',
          'Egg needs itself',
          'Plain is not marked @injectable()',
        ],
      },
    });
  });

  it('refuses what is registered twice or not at all', () => {
    assert.throws(() => garage().registerSingleton(Car), /Car is registered twice/);
    assert.throws(() => garage().resolve(Plain), /Plain is not registered/);
  });

  it('says which service could not be made', () => {
    class Broken {
      constructor() {
        throw new RangeError('boom');
      }
    }
    needs(Broken);
    assert.throws(() => new Container().registerSingleton(Broken).resolve(Broken), /Broken cannot be made: boom/);
  });

  it('resolves the whole graph', () => {
    assert.equal(garage().resolveAll().length, 4);
  });
});

// What must not compile (checked by `npm run lint`).
() => {
  // @ts-expect-error the value is not what the token says
  new Container().registerValue(NameToken, 3);
  // @ts-expect-error the class is not what the token says
  new Container().registerSingleton(NameToken, Engine);
  // @ts-expect-error the service is of another type
  new Container().resolve(NameToken) satisfies number;
};
