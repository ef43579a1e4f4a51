import { after, afterEach, before, beforeEach, describe } from 'mocha';
import { Fixture, type NetworkSuiteOptions, type World } from './fixture.js';
import { lifeCases } from './life-cases.js';
import { outboundCases } from './outbound-cases.js';
import { deniedCases } from './denied-cases.js';
import { publishedCases } from './published-cases.js';
import { Outside } from './namespaces.js';

const TIMEOUT_MS = 30_000;

/** The contract of the Network port as a mocha suite. Needs Linux, root, iproute2 and python3. */
export function networkSuite(options: NetworkSuiteOptions): void {
  describe(`network contract: ${options.name}`, function () {
    this.timeout(options.timeoutMs ?? TIMEOUT_MS);
    let world: World;
    let fixture: Fixture;
    const current = (): Fixture => fixture;

    before(async () => {
      const outside = new Outside();
      const { namespace, ipv4, ipv6 } = outside;
      const tcpPort = await namespace.ask('serveTcp', { address: '0.0.0.0', port: 0 });
      await namespace.ask('serveTcp', { address: '::', port: tcpPort });
      const udpPort = await namespace.ask('serveUdp', { address: '0.0.0.0', port: 0 });
      await namespace.ask('serveUdp', { address: '::', port: udpPort });
      await namespace.ask('serveDns', { address: ipv4 });
      await namespace.ask('serveDns', { address: ipv6 });
      // Nobody answers at the first address: the next one has to be asked.
      const network = await options.create([outside.idle, ipv4, ipv6]);
      world = { outside, network, tcpPort, udpPort };
    });
    after(() => world?.outside[Symbol.asyncDispose]());
    beforeEach(() => {
      fixture = new Fixture(world);
    });
    afterEach(() => fixture[Symbol.asyncDispose]());

    lifeCases(current, options);
    outboundCases(current, options);
    deniedCases(current);
    publishedCases(current);
  });
}
