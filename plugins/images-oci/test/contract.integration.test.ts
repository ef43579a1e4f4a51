import { imageStoreSuite } from '@a3s-box/contract-image-store';
import { testStore } from './support/store.ts';

imageStoreSuite({
  name: 'images-oci',
  create: async () => {
    const made = await testStore();
    return { store: made.store, dispose: async () => await made[Symbol.asyncDispose]() };
  },
});
