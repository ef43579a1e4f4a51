import { definePlugin, ImageStorePort } from '@a3s-box/core';
import { OciImageStore } from './oci-image-store.js';

export default definePlugin({
  provides: { imageStore: { port: ImageStorePort, name: 'oci' } },
  requires: {},
  async activate({ logger, stateDirectory }) {
    const store = await OciImageStore.open({ directory: stateDirectory, logger });
    return {
      services: { imageStore: store },
      dispose: () => store[Symbol.asyncDispose](),
    };
  },
});
