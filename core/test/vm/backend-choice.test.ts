import assert from 'node:assert/strict';
import { BoxNetworks, type Networks } from '../../dist/box/box-networks.js';
import { BackendChooser, type ProbedBackend } from '../../dist/vm/backend-chooser.js';
import type { Hypervisor, HypervisorCapability, HypervisorProbe, Network } from '../../dist/index.js';

const { signal } = new AbortController();

function backend(name: string, probe: Partial<HypervisorProbe> = {}): Hypervisor {
  const whole: HypervisorProbe = {
    ...{ usable: true, reason: `${name} works`, acceleration: 'hardware' },
    ...{ capabilities: new Set(), limits: { maxVcpus: 1, minMemoryBytes: 1, maxMemoryBytes: 1 } },
    ...probe,
  };
  return { name, probe: () => Promise.resolve(whole) } as Partial<Hypervisor> as Hypervisor;
}

const first = backend('first', { usable: false, reason: 'first is not there (install it)', acceleration: 'none' });
const emulated = backend('emulated', { acceleration: 'emulation', accelerator: 'soft' });
const hardware = backend('hardware');

describe('the choice of a backend', () => {
  const chosen = async (hypervisors: readonly Hypervisor[], name?: string, standard?: string): Promise<string> => {
    const chooser = new BackendChooser(hypervisors, { name: standard });
    const { hypervisor, reason } = await chooser.choose(name, { signal });
    return `${hypervisor.name}: ${reason}`;
  };

  it('is the first that works, hardware before emulation', async () => {
    assert.equal(await chosen([first, emulated, hardware]), 'hardware: hardware works');
    assert.equal(await chosen([backend('other'), hardware]), 'other: other works');
    assert.equal(await chosen([first, emulated]), 'emulated: emulated works');
  });

  it('is the one that is asked for, and no other', async () => {
    assert.equal(await chosen([hardware, emulated], 'emulated'), 'emulated: asked for by name');
    const refused = {
      code: 'BACKEND_UNAVAILABLE',
      message: /"first" cannot be used here: first is not there \(install/,
    };
    await assert.rejects(chosen([first, hardware], 'first'), refused);
    await assert.rejects(chosen([hardware], 'unknown'), { message: /"unknown" is not known/, hint: /hardware/ });
  });

  it('is not given up with another one that waited for the same probe', async () => {
    const probes: AbortSignal[] = [];
    const slow = {
      ...hardware,
      probe: ({ signal: own }: { signal: AbortSignal }) => {
        probes.push(own);
        if (probes.length > 1) return hardware.probe({ signal: own });
        return new Promise((_resolve, reject) => own.addEventListener('abort', () => reject(own.reason)));
      },
    } as Hypervisor;
    const chooser = new BackendChooser([slow], { name: undefined });
    const first = new AbortController();
    const [given, other] = [chooser.choose(undefined, { signal: first.signal }), chooser.choose(undefined, { signal })];
    first.abort();
    await assert.rejects(given, { name: 'AbortError' });
    assert.equal((await other).hypervisor, slow);
    assert.deepEqual(probes, [first.signal, signal]);
  });

  it('is the one that the distribution names, and no other', async () => {
    const all = [hardware, emulated, first];
    assert.equal(await chosen(all, undefined, 'emulated'), 'emulated: the distribution names it');
    assert.equal(await chosen(all, 'hardware', 'emulated'), 'hardware: asked for by name');
    await assert.rejects(chosen(all, undefined, 'first'), { code: 'BACKEND_UNAVAILABLE' });
  });

  it('probes no other than the one that is asked for, and each once', async () => {
    const probed: string[] = [];
    const counted = (it: Hypervisor): Hypervisor => ({
      ...it,
      probe: (operation) => {
        probed.push(it.name);
        return it.probe(operation);
      },
    });
    const chooser = new BackendChooser([counted(first), counted(hardware), counted(emulated)], { name: undefined });
    await chooser.choose('emulated', { signal });
    assert.deepEqual(probed, ['emulated']);
    await chooser.choose(undefined, { signal });
    await chooser.choose('hardware', { signal });
    assert.deepEqual(probed, ['emulated', 'first', 'hardware']);
    await assert.rejects(chooser.choose('first', { signal }), { code: 'BACKEND_UNAVAILABLE' });
    await assert.rejects(chooser.choose('first', { signal }), { code: 'BACKEND_UNAVAILABLE' });
    assert.deepEqual(probed, ['emulated', 'first', 'hardware', 'first']);
  });

  it('fails with the reason of each where none works', async () => {
    const reasons = { code: 'BACKEND_UNAVAILABLE', hint: 'first: first is not there (install it)' };
    await assert.rejects(chosen([first]), reasons);
  });
});

describe('the network of a box that asks for none', () => {
  const network = (name: string, carrier: Network['carrier']): Network => {
    return { name, carrier } as Partial<Network> as Network;
  };
  const impersonated = network('tsi', 'tsi');
  const carded = network('default', 'network-card');
  const on = (...capabilities: HypervisorCapability[]): ProbedBackend => {
    const probe = { capabilities: new Set(capabilities) } as Partial<HypervisorProbe> as HypervisorProbe;
    return { hypervisor: backend('some'), probe };
  };
  const networks = (preferred: readonly Network[]): BoxNetworks => {
    const all = new Map(preferred.map((each) => [each.name, each]));
    return new BoxNetworks({ all, preferred }, ...([] as unknown as [never, never, never]));
  };

  it('is the first that its backend can connect to', () => {
    const both = networks([impersonated, carded]);
    assert.equal(both.nameOf({}, on('tsi', 'network-card')), 'tsi');
    assert.equal(both.nameOf({}, on('network-card')), 'default');
    assert.equal(networks([]).nameOf({}, on('network-card')), 'none');
  });

  it('is the next one where the backend has a fault in carrying the first, and that can work here', () => {
    const faulty = (...capabilities: HypervisorCapability[]): ProbedBackend => {
      const { hypervisor, probe } = on(...capabilities);
      return { hypervisor, probe: { ...probe, impaired: { tsi: 'it stops' } } };
    };
    const both = networks([impersonated, carded]);
    const cases: [Networks['preferred'], string][] = [
      [[impersonated, carded], 'default'],
      [[carded, impersonated], 'default'],
      [[impersonated], 'tsi'],
      [[impersonated, { ...carded, obstacle: 'no gateway' }], 'tsi'],
      [
        [
          { ...impersonated, obstacle: 'none' },
          { ...carded, obstacle: 'no gateway' },
        ],
        'tsi',
      ],
    ];
    for (const [preferred, name] of cases)
      assert.equal(networks(preferred).nameOf({}, faulty('tsi', 'network-card')), name);
    assert.equal(both.nameOf({}, faulty('tsi')), 'tsi');
    assert.equal(both.nameOf({ network: 'tsi' }, faulty('tsi', 'network-card')), 'tsi');
    both.checkName({ network: 'tsi' }, faulty('tsi', 'network-card'));
    assert.equal(
      networks([{ ...impersonated, obstacle: 'x' }, carded]).nameOf({}, on('tsi', 'network-card')),
      'default',
    );
  });

  it('is the one that the distribution names, or none at all', () => {
    const named = networks([carded]);
    assert.equal(named.nameOf({}, on('tsi', 'network-card')), 'default');
    const refused = { code: 'UNSUPPORTED', message: /backend "some" cannot connect a box to network "default"/ };
    assert.throws(() => named.checkName({}, on('tsi')), refused);
  });

  it('is never put in the place of one that was asked for', () => {
    const both = networks([impersonated, carded]);
    assert.throws(() => both.checkName({ network: 'tsi' }, on('network-card')), { code: 'UNSUPPORTED' });
    assert.throws(() => both.checkName({ network: 'other' }, on('network-card')), { code: 'INVALID_ARGUMENT' });
    both.checkName({ network: 'none' }, on());
  });
});
