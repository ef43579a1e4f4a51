import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync, readdirSync, writeSync } from 'node:fs';
import type { HypervisorCapability, Template } from '@a3s-box/core';
import { describe, it } from 'mocha';
import type { Fixture } from './fixture.js';
import { processesOf } from './leftovers.js';

const MIB = 1024 * 1024;
/** Size of the disks of templates and clones (docs/compatibility.md). */
const SLOT_BYTES = 64 * 1024 ** 3;
const SECTOR = 512;

export function templateCases(current: () => Fixture, capabilities: readonly HypervisorCapability[]): void {
  describe('templates', () => {
    if (!capabilities.includes('templates')) {
      it('are refused by name', async () => {
        const { hypervisor, signal } = current();
        await assert.rejects(hypervisor.makeTemplate(current().templateSpec(), { signal }), { code: 'UNSUPPORTED' });
      });
      return;
    }
    cloneCases(current);
    refusalCases(current);
    makingCases(current);
  });
}

function cloneCases(current: () => Fixture): void {
  it('are made once; any number of guests goes on from there, each by itself', async () => {
    const template = await current().template('the beginning');
    const [one, two] = await Promise.all([current().start({ template }), current().start({ template })]);
    using first = await current().guest(one);
    using second = await current().guest(two);
    assert.equal(await first.ask('recall'), 'the beginning');
    await first.ask('remember something else');
    assert.equal(await second.ask('recall'), 'the beginning');
    const third = await current().start({ template });
    using guest = await current().guest(third);
    assert.equal(await guest.ask('recall'), 'the beginning');
    assert.equal(await first.ask('recall'), 'something else');
  });

  it('give their clones the disks that those are started with', async () => {
    const template = await current().template('x');
    for (const name of ['one', 'two']) {
      const disks = { root: current().disk(`root ${name}`, true), scratch: current().disk('', false, SLOT_BYTES) };
      const vm = await current().start({ template, disks });
      using guest = await current().guest(vm);
      assert.equal(await guest.ask(`read root 0 ${5 + name.length}`), `root ${name}`);
      assert.equal(await guest.ask(`read root ${SLOT_BYTES - 8} 8`), '');
      assert.match(await guest.ask('write root 0 changed'), /^error/);
      assert.equal(await guest.ask('read scratch 4096 7'), '');
      assert.equal(await guest.ask(`write scratch 4096 by ${name}`), 'ok');
      const found = (await guest.ask('disks')).split(' ');
      assert.ok(found.includes(`root:${SLOT_BYTES / SECTOR}:ro`), found.join(' '));
      assert.ok(found.includes(`scratch:${SLOT_BYTES / SECTOR}:rw`), found.join(' '));
    }
  });

  it('have clones that can be paused, adopted and killed', async () => {
    const { hypervisor, signal } = current();
    const template = await current().template('kept');
    const first = await current().start({ template });
    await first.close();
    const vm = current().keep(await hypervisor.adopt(first.record, { signal }));
    using guest = await current().guest(vm);
    assert.equal(await guest.ask('recall'), 'kept');
    await vm.kill();
    assert.equal((await vm.exited).kind, 'vmm-killed');
  });

  it('have clones whose VMM and guest cannot change them', async () => {
    const template = await current().template('x');
    for (const file of [template.memory, template.state]) {
      assert.throws(() => {
        const own = openSync(`/proc/self/fd/${file}`, 'r+');
        try {
          writeSync(own, 'damage', 0);
        } finally {
          closeSync(own);
        }
      }, /EPERM|EACCES/);
    }
  });
}

function refusalCases(current: () => Fixture): void {
  const changed: Readonly<Record<string, (template: Template) => Template>> = {
    'of another backend': ({ record, ...files }) => ({ ...files, record: { ...record, backend: 'another' } }),
    'of another version': ({ record, ...files }) => ({ ...files, record: { ...record, version: record.version + 1 } }),
    'with another fingerprint': ({ record, ...files }) => ({ ...files, record: { ...record, fingerprint: 'other' } }),
    'of another shape': ({ record, ...files }) => ({
      ...files,
      record: { ...record, shape: { ...record.shape, memoryBytes: record.shape.memoryBytes + MIB } },
    }),
    'whose state is something else': ({ record, memory }) => ({ record, memory, state: memory }),
  };
  it('that do not fit are refused, and nothing is left', async () => {
    const { hypervisor, signal } = current();
    const template = await current().template('x');
    for (const [what, change] of Object.entries(changed)) {
      const spec = current().spec({ template: change(template) });
      await assert.rejects(hypervisor.create(spec, { signal }), { code: 'TEMPLATE_UNUSABLE' }, what);
      assert.deepEqual(readdirSync(spec.directory), [], what);
      assert.deepEqual(processesOf(spec.directory), [], what);
    }
    // A writable disk has the size of its slot, and scratch alone is one.
    for (const disks of [
      { scratch: current().disk('', false) },
      { root: current().disk('', false, SLOT_BYTES) },
      { disk0: current().disk('', false, SLOT_BYTES) },
    ]) {
      const spec = current().spec({ template, disks });
      await assert.rejects(hypervisor.create(spec, { signal }), { code: 'UNSUPPORTED' });
    }
  });
}

function makingCases(current: () => Fixture): void {
  it('belong to the fingerprint of the probe, and leave an empty directory', async () => {
    const { hypervisor, signal } = current();
    const { fingerprint } = await hypervisor.probe({ signal });
    const directory = current().directory();
    const { record, memory } = await current().template('x', { directory });
    assert.deepEqual(readdirSync(directory), []);
    assert.deepEqual(processesOf(directory), []);
    assert.equal(record.fingerprint, fingerprint);
    assert.deepEqual(JSON.parse(JSON.stringify(record)), record);
    assert.equal(fstatSync(memory).size, record.shape.memoryBytes);
  });

  it('that are given up leave neither process nor file', async () => {
    const { hypervisor, signal } = current();
    const stop = new AbortController();
    const failure = new TypeError('prepare has failed');
    const cases = {
      CANCELLED: { signal: stop.signal, prepare: () => (stop.abort(), Promise.withResolvers<void>().promise) },
      TypeError: { signal, prepare: () => Promise.reject(failure) },
    };
    for (const { signal: given, prepare } of Object.values(cases)) {
      const spec = current().templateSpec({ prepare });
      await assert.rejects(hypervisor.makeTemplate(spec, { signal: given }), (error: { code?: unknown }) =>
        given === stop.signal ? error.code === 'CANCELLED' : error === failure,
      );
      assert.deepEqual(readdirSync(spec.directory), []);
      assert.deepEqual(processesOf(spec.directory), []);
    }
  });

  it('cannot have a share', async () => {
    const { hypervisor, signal } = current();
    const { shape } = current().spec();
    const spec = current().templateSpec({ shape: { ...shape, share: true } });
    await assert.rejects(hypervisor.makeTemplate(spec, { signal }), { code: 'UNSUPPORTED' });
  });
}
