import { recordedCallsSuite } from '../../../test/support/recording/recorded-calls-suite.ts';
import { recordedWhpx } from './recorded-whpx.ts';

describe('with the recording libkrun', () => {
  const machines = recordedWhpx();
  afterEach(() => machines.endGuests());
  after(() => machines.dispose());

  recordedCallsSuite('libkrun-whpx', () => machines);
});
