import { recordedCallsSuite } from '../../../test/support/recording/recorded-calls-suite.ts';
import { recordedHvf } from './recorded-hvf.ts';

describe('with the recording libkrun', () => {
  const machines = recordedHvf();
  afterEach(() => machines.endGuests());
  after(() => machines.dispose());

  recordedCallsSuite('libkrun-hvf', () => machines);
});
